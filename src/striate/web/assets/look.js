// The Look tab: an image, what the run says of it, and what happens on the way there.

import {upload} from "./ask.js";
import {by, el, percent} from "./dom.js";
import {ledger} from "./ledger.js";
import {maps} from "./maps.js";
import {picture} from "./picture.js";
import {stepper} from "./stepper.js";

export function look(panel, start, {say}) {
  if (start.run === null) {
    panel.append(el("div.lone", {}, el("h2", {}, "No run is open"),
      el("p", {}, "Start the server with the folder of a finished run to look inside its network:"),
      el("pre", {}, "striate serve runs/photos")));
    return {};
  }
  const run = start.run;
  let looked = null;
  const file = el("input", {type: "file", accept: "image/*", id: "image-file", onchange: () => open(file.files[0])});
  const drop = el("div.drop", {},
    el("p", {}, el("label.file.strong", {htmlFor: "image-file"}, "Choose an image", file), " or drop one here"),
    el("p.small", {}, `${run.name} · ${run.network} · ${by(run.image)} · ${run.classes.length} classes`
      + (run.accuracy === null ? "" : ` · ${percent(run.accuracy)} of its test images right`)));
  const problem = el("p.problem", {role: "alert", hidden: true});
  const notes = el("ul.notes", {}, run.notes.map(note => el("li", {}, note)));
  const result = el("div", {hidden: true});
  notes.hidden = run.notes.length === 0;
  panel.append(drop, problem, notes, result);

  const seen = picture();
  const verdict = el("div", {});
  const steps = stepper({at: (layer, row, col) => seen.mark(layer, row, col)});
  const shown = maps({
    chosen: (layer, channel) => {
      if (layer.steps) steps.open(looked, layer, channel);
      else steps.close(`${layer.kind} adds up no window of numbers: choose a map of a convolution to follow its sums.`);
    },
    over: (layer, row, col) => seen.mark(layer, row, col),
  });
  const wrote = ledger();
  result.append(
    el("div.look-top", {}, el("section.card", {"aria-label": "The image"}, seen.node), el("section.card", {"aria-label": "Prediction"}, verdict)),
    el("section.card", {"aria-labelledby": "maps-title"}, el("h2", {id: "maps-title"}, "Layer by layer"), shown.node),
    el("section.card", {"aria-labelledby": "step-title"}, el("h2", {id: "step-title"}, "One sum of a convolution"), steps.node),
    el("section.card", {"aria-labelledby": "ledger-title"}, el("h2", {id: "ledger-title"}, "Who wrote the logit"), wrote.node));

  async function open(chosen) {
    if (!chosen) return;
    say("looking …");
    problem.hidden = true;
    try {
      looked = await upload("/api/look", chosen);
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      say("");
      return;
    }
    say("");
    result.hidden = false;
    seen.show(looked.picture, run.image);
    told(looked);
    shown.open(looked);
    steps.close("Click a map of a convolution, and one of its pixels, to follow the sum behind it.");
    wrote.open(looked, run.classes, looked.top[0].class);
    document.dispatchEvent(new CustomEvent("striate:looked", {detail: looked.id}));
  }

  function told(answer) {
    verdict.replaceChildren(el("div", {},
      el("h2", {}, answer.top[0].class),
      el("ol.likely", {}, answer.top.map(one => el("li", {},
        el("button.quiet", {onclick: () => wrote.choose(one.class), title: "Who wrote its logit"}, one.class),
        bar(one.confidence), el("span.num", {}, percent(one.confidence))))),
      answer.unlike.length ? el("p.warn", {}, `Unlike the training data in ${answer.unlike.map(one =>
        `${one.what} (distance ${one.distance.toPrecision(2)}, limit ${one.limit.toPrecision(2)})`).join(" and ")}: what it says may mean little.`) : null));
  }

  for (const kind of ["dragenter", "dragover"]) panel.addEventListener(kind, event => {
    event.preventDefault();
    drop.classList.add("over");
  });
  for (const kind of ["dragleave", "drop"]) panel.addEventListener(kind, () => drop.classList.remove("over"));
  panel.addEventListener("drop", event => {
    event.preventDefault();
    open(event.dataTransfer.files[0]);
  });
  return {};
}

function bar(share) {
  const inner = el("span", {});
  inner.style.width = `${100 * share}%`;
  return el("span.share", {"aria-hidden": "true"}, inner);
}
