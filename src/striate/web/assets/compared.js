// Some runs side by side: results, curves, and every setting that is not the same in all.

import {chart} from "./chart.js";
import {el, percent, plain} from "./dom.js";

export function compared(found) {
  const line = (key) => found.runs.map((run, index) => ({name: run.name, colour: index, points: found.curves[index].filter(one => one[key] !== null).map(one => [one.epoch, one[key]])}));
  return el("section.card", {},
    el("h2", {}, found.runs.map(run => run.name).join(" · ")),
    found.notes.length ? el("ul.notes", {}, found.notes.map(note => el("li", {}, note))) : null,
    el("div.charts", {},
      chart({title: "validation loss", x: "epoch", lines: line("val_loss")}),
      chart({title: "validation accuracy", x: "epoch", share: true, lines: line("val_accuracy")})),
    el("div.scroll", {tabIndex: 0, role: "region", "aria-label": "What differs"}, el("table", {},
      el("thead", {}, el("tr", {}, el("th", {scope: "col"}, "setting"), found.runs.map(run => el("th", {scope: "col"}, run.name)))),
      el("tbody", {},
        row("test accuracy", found.runs.map(run => run.accuracy === null ? "" : percent(run.accuracy))),
        row("against the first", found.gaps.map(gap => gap === null ? "" : `${gap.accuracy >= 0 ? "+" : ""}${(100 * gap.accuracy).toFixed(2)} ± ${(100 * gap.error).toFixed(2)} points`)),
        Object.entries(found.differences).flatMap(([part, ones]) => ones.map(one => row(`${part}: ${one.key}`, one.values.map(written))))))));
}

const row = (name, values) => el("tr", {}, el("th", {scope: "row"}, name), values.map(value => el("td", {}, value)));

function written(value) {
  if (value === null) return "–";
  return typeof value === "number" ? plain(value) : typeof value === "object" ? JSON.stringify(value) : String(value);
}
