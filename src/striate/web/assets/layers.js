// The layer table: every operation with a cost or a window, in order.

import {by, el, short} from "./dom.js";
import {sees} from "./strip.js";

export function layers({chosen}) {
  const body = el("tbody", {});
  const node = el("div.scroll", {tabIndex: 0, role: "region", "aria-label": "Layer table"},
    el("table", {},
      el("thead", {}, el("tr", {}, ["layer", "operation", "output", "parameters", "MACs", "field"]
        .map((name, index) => el(index > 2 ? "th.num" : "th", {scope: "col"}, name)))),
      body));
  let rows = [];
  body.addEventListener("click", event => {
    const row = event.target.closest("tr");
    if (row) choose(row);
  });
  body.addEventListener("keydown", event => {
    if (event.key !== "Enter" && event.key !== " ") return;
    const row = event.target.closest("tr");
    if (row) { event.preventDefault(); choose(row); }
  });

  function choose(row) {
    for (const other of body.children) other.classList.toggle("marked", other === row);
    chosen(rows[row.sectionRowIndex]);
  }

  // Rows are kept and only their words changed: a keystroke changes few of them.
  function write(row, layer) {
    const words = [
      layer.path, layer.op, by(layer.shape), layer.params ? short(layer.params) : "",
      layer.macs === null ? "unknown" : layer.macs ? short(layer.macs) : "", sees(layer.field),
    ];
    for (const [index, word] of words.entries()) {
      const cell = row.cells[index];
      if (cell.textContent !== word) cell.textContent = word;
    }
  }

  function blank() {
    return el("tr", {tabIndex: 0}, el("th", {scope: "row"}), el("td", {}), el("td", {}),
      el("td.num", {}), el("td.num", {}), el("td.num", {}));
  }

  return {
    node,
    show(found) {
      rows = found;
      while (body.children.length > found.length) body.lastChild.remove();
      while (body.children.length < found.length) body.append(blank());
      for (const [index, layer] of found.entries()) write(body.children[index], layer);
    },
  };
}
