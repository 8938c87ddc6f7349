// A convolution, one sum at a time: patch × kernel, channel by channel.

import {get, newest} from "./ask.js";
import {el, plain} from "./dom.js";

export function stepper({at}) {
  let looked = null, layer = null, channel = 0, row = 0, col = 0;
  const words = el("p", {"aria-live": "polite"});
  const tables = el("div.sums", {});
  const moves = el("p.moves", {role: "group", "aria-label": "Move the window", hidden: true},
    [["←", 0, -1, "left"], ["↑", -1, 0, "up"], ["↓", 1, 0, "down"], ["→", 0, 1, "right"]].map(([sign, down, right, name]) =>
      el("button.quiet", {"aria-label": name, onclick: () => move(down, right)}, sign)),
    el("span.small", {}, " or the arrow keys"));
  const node = el("div", {}, words, moves, tables);
  node.addEventListener("keydown", event => {
    const step = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key];
    if (step && layer) { event.preventDefault(); move(...step); }
  });

  const ask = newest(
    asked => get(`/api/look/${looked.id}/step?path=${encodeURIComponent(asked.path)}&channel=${asked.channel}&row=${asked.row}&col=${asked.col}`),
    show, error => { words.textContent = error.message; tables.replaceChildren(); });

  function move(down, right) {
    const [tall, wide] = layer.size;
    [row, col] = [Math.min(tall - 1, Math.max(0, row + down)), Math.min(wide - 1, Math.max(0, col + right))];
    at(layer, row, col);
    ask({path: layer.path, channel, row, col});
  }

  function show(found) {
    const gone = found.given > found.channels.length;
    words.replaceChildren(
      el("b", {}, `${found.path}, map ${found.channel}, row ${found.row}, column ${found.col}: ${plain(found.value)}`), " = ",
      found.channels.map(one => plain(one.sum)).join(" + "),
      gone ? ` + ${plain(found.rest)} of ${found.given - found.channels.length} other channels` : "",
      found.bias ? ` + ${plain(found.bias)} (bias)` : "",
      `. The network itself, in its own precision: ${plain(found.output)}.`);
    tables.replaceChildren(...found.channels.map(one => el("figure", {tabIndex: 0, role: "group", "aria-label": `input channel ${one.channel}`},
      el("figcaption", {}, `input channel ${one.channel} adds ${plain(one.sum)}`),
      el("div.sum", {}, grid("input", one.patch), el("span.sign", {}, "×"), grid("kernel", one.kernel), el("span.sign", {}, "="), grid("products", one.products)))));
    document.dispatchEvent(new CustomEvent("striate:stepped"));
  }

  return {
    node,
    open(image, chosen, number) {
      [looked, layer, channel] = [image, chosen, number];
      [row, col] = chosen.at;
      moves.hidden = false;
      ask({path: layer.path, channel, row, col});
    },
    close(text) {
      layer = null;
      moves.hidden = true;
      tables.replaceChildren();
      words.textContent = text;
    },
  };
}

// Numbers on a ground of their size: warm where positive, cool where negative.
function grid(name, rows) {
  const most = Math.max(...rows.flat().map(Math.abs), 1e-12);
  return el("table.numbers", {}, el("caption", {}, name), el("tbody", {}, rows.map(row => el("tr", {}, row.map(value => {
    const level = Math.round(4 * Math.abs(value) / most);
    return el(level ? `td.${value > 0 ? "warm" : "cool"}${level}` : "td", {}, plain(value));
  })))));
}
