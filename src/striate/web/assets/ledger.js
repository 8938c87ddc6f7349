// Which block wrote how much of a class's logit: bars about zero, in the order of the network.

import {get} from "./ask.js";
import {el, plain} from "./dom.js";

export function ledger() {
  let looked = null, turn = 0;
  const choice = el("select", {id: "ledger-class", onchange: () => load()});
  const words = el("p", {"aria-live": "polite"});
  const bars = el("tbody", {});
  const table = el("table.bars", {hidden: true}, el("thead", {}, el("tr", {},
    el("th", {scope: "col"}, "part"), el("th", {scope: "col"}, "wrote"), el("th", {scope: "col"}, el("span.hidden", {}, "as a bar")))), bars);
  const notes = el("ul.notes", {});
  const node = el("div", {}, el("p", {}, el("label", {htmlFor: "ledger-class"}, "class "), choice), words, table, notes);

  async function load() {
    const mine = ++turn;
    words.textContent = "adding up …";
    let found;
    try {
      found = await get(`/api/look/${looked.id}/ledger?number=${choice.selectedIndex}`);
    } catch (error) {
      if (mine === turn) words.textContent = error.message;
      return;
    }
    if (mine !== turn) return;
    notes.replaceChildren(...found.notes.map(note => el("li", {}, note)));
    if (found.withheld) {
      words.textContent = `Withheld: ${found.withheld}.`;
      table.hidden = true;
      return;
    }
    const biases = found.parts.filter(part => part.kind === "bias");
    const shown = found.parts.filter(part => part.kind !== "bias");
    if (biases.length) shown.push({name: `${biases.length} constants (biases, norms)`, kind: "bias", written: biases.reduce((sum, part) => sum + part.written, 0)});
    const most = Math.max(...shown.map(part => Math.abs(part.written)), 1e-12);
    words.textContent = `The parts sum to ${plain(found.sum)}; the logit of ${found.class} is ${plain(found.logit)}. They differ by ${found.error.toExponential(1)} of it.`;
    bars.replaceChildren(...shown.map(part => el(`tr.${part.kind}`, {},
      el("th", {scope: "row"}, part.name), el("td.num", {}, plain(part.written)), el("td", {}, bar(part.written / most)))));
    table.hidden = false;
    document.dispatchEvent(new CustomEvent("striate:ledger"));
  }

  return {
    node,
    open(found, classes, first) {
      looked = found;
      choice.replaceChildren(...classes.map(name => el("option", {selected: name === first}, name)));
      load();
    },
    choose(name) {
      choice.value = name;
      load();
    },
  };
}

function bar(share) {
  const inner = el(share < 0 ? "span.minus" : "span.plus", {});
  inner.style.width = `${50 * Math.abs(share)}%`;
  inner.style.left = `${share < 0 ? 50 - 50 * Math.abs(share) : 50}%`;
  return el("span.about", {"aria-hidden": "true"}, inner);
}
