// The same architecture as a form: every key of the schema, the usual ones first.

import {el} from "./dom.js";
import {reader} from "./schema.js";

const FIRST = {
  null: ["name", "image", "classes", "norm", "activation"],
  stem: ["width", "kernel", "stride"],
  stages: ["block", "depth", "width", "stride", "kernel"],
  head: ["pool", "dropout"],
};
const TITLES = {null: "Network", stem: "Stem", head: "Head"};

export function form({changed}) {
  let known = null, arch = null;
  const node = el("form.fields", {"aria-label": "Architecture as a form", onsubmit: event => event.preventDefault()});
  const open = new Set();

  const tell = () => changed(structuredClone(arch));

  function set(table, key, value) {
    if (value === undefined) delete table[key];
    else table[key] = value;
    tell();
  }

  function input(part, table, key, id) {
    const kind = known.of(part, key), value = table[key];
    const now = value === undefined ? kind.fallback ?? null : value;
    if (kind.flag) {
      const choices = [...(kind.optional ? [["", "by default"]] : []), ["true", "yes"], ["false", "no"]];
      return el("select", {id, onchange: event => set(table, key, event.target.value === "" ? undefined : event.target.value === "true")},
        choices.map(([word, shown]) => el("option", {value: word, selected: String(now ?? "") === word}, shown)));
    }
    if (kind.values.length)
      return el("select", {id, onchange: event => set(table, key, event.target.value)},
        kind.values.map(word => el("option", {value: word, selected: now === word}, word)));
    if (kind.number)
      return el("input", {id, type: "text", inputMode: "decimal", value: now ?? "", placeholder: "by default",
        oninput: event => set(table, key, numbered(event.target.value, kind))});
    if (kind.list)
      return el("input", {id, type: "text", value: (now ?? []).join(", "),
        oninput: event => set(table, key, listed(event.target.value))});
    if (kind.table)
      return el("select", {id, onchange: event => set(table, key, event.target.value === "none" ? undefined : {kind: event.target.value, kernel: value?.kernel ?? 2, stride: value?.stride ?? 2})},
        ["none", "max", "avg"].map(word => el("option", {value: word, selected: (value ? value.kind ?? "max" : "none") === word}, word)));
    return el("input", {id, type: "text", value: now ?? "", oninput: event => set(table, key, event.target.value)});
  }

  function field(part, table, key, prefix) {
    const id = `${prefix}-${key}`;
    return el("div.field-row", {title: known.of(part, key).text},
      el("label", {htmlFor: id}, key.replaceAll("_", " ")), input(part, table, key, id));
  }

  function block(part, table, title, prefix, buttons = []) {
    const keys = known.keys(part).filter(key => !(part === null && key in known.parts));
    const first = FIRST[part].filter(key => keys.includes(key));
    const rest = keys.filter(key => !first.includes(key));
    const more = el("details", {open: open.has(prefix), ontoggle: event => open[event.target.open ? "add" : "delete"](prefix)},
      el("summary", {}, "more"), el("div.field-grid", {}, rest.map(key => field(part, table, key, prefix))));
    return el("fieldset", {}, el("legend", {}, title), el("div.field-grid", {}, first.map(key => field(part, table, key, prefix))),
      el("div.row", {}, more, el("span.grow", {}), buttons));
  }

  function stages() {
    return arch.stages.map((row, index) => block("stages", row, `Stage ${index + 1}`, `stages-${index}`, [
      el("button.quiet", {type: "button", "aria-label": `Repeat stage ${index + 1}`, onclick: () => {
        arch.stages.splice(index + 1, 0, {...structuredClone(row), stride: 1});
        tell();
        draw();
      }}, "repeat"),
      el("button.quiet", {type: "button", disabled: arch.stages.length === 1, "aria-label": `Take stage ${index + 1} away`, onclick: () => {
        arch.stages.splice(index, 1);
        tell();
        draw();
      }}, "take away"),
    ]));
  }

  function draw() {
    if (known === null || arch === null) return;
    const focused = document.activeElement?.id;
    const stem = arch.stem ? block("stem", arch.stem, TITLES.stem, "stem", [
      el("button.quiet", {type: "button", "aria-label": "Take the stem away", onclick: () => { delete arch.stem; tell(); draw(); }}, "take away")])
      : el("p", {}, el("button.quiet", {type: "button", onclick: () => { arch.stem = {width: arch.stages[0].width}; tell(); draw(); }}, "add a stem"));
    arch.head ??= {};
    node.replaceChildren(block(null, arch, TITLES[null], "net"), stem, ...stages(), block("head", arch.head, TITLES.head, "head"));
    if (focused && node.querySelector(`#${CSS.escape(focused)}`)) document.getElementById(focused).focus();
  }

  let last = "";
  return {
    node,
    learn(schema, now) {
      known = reader(schema);
      if (now) arch ??= structuredClone(now);
      draw();
    },
    show(found) {
      const now = JSON.stringify(found);
      if (now === last) return;
      last = now;
      arch = structuredClone(found);
      draw();
    },
  };
}

// What is no number is handed on as it is: the library says what is wrong with it.
function numbered(text, kind) {
  const word = text.trim();
  if (word === "") return undefined;
  const number = Number(word);
  if (!Number.isFinite(number)) return word;
  return number;
}

const listed = text => text.split(/[,×x]/).map(word => word.trim()).filter(word => word !== "")
  .map(word => Number.isFinite(Number(word)) ? Number(word) : word);
