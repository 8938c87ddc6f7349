// A run while it trains: its metrics as they are written, by server-sent events.

import {chart} from "./chart.js";
import {el, plain} from "./dom.js";

const MOST = 1200;

export function live({ended}) {
  let source = null, steps = [], epochs = [], title = "";
  const node = el("section.card", {"data-live": "closed"});

  function draw(state) {
    const last = steps.at(-1);
    const line = (name, key, from, quiet) => ({name, quiet, points: from.filter(one => one[key] !== null).map(one => [one.step, one[key]])});
    node.replaceChildren(el("h2", {}, title, " ", el("span.severity", {}, state)),
      el("p", {}, last ? `step ${last.step} of ${last.steps}, epoch ${last.epoch} · loss ${plain(last.loss)} · rate ${plain(last.lr)}` : "no step yet"),
      el("div.charts", {},
        chart({title: "loss", x: "step", lines: [line("batches", "loss", steps, true), line("validation", "val_loss", epochs)]}),
        chart({title: "accuracy", x: "step", share: true, lines: [line("batches", "accuracy", steps, true), line("validation", "val_accuracy", epochs)]})));
    node.dataset.live = state;
    node.dataset.steps = steps.length;
  }

  function close() {
    source?.close();
    source = null;
  }

  return {
    node,
    close,
    open(run) {
      close();
      [steps, epochs, title] = [[], [], run.name];
      draw("waiting");
      source = new EventSource(`/api/runs/live?run=${encodeURIComponent(run.name)}`);
      source.addEventListener("news", event => {
        const news = JSON.parse(event.data);
        if (news.again) [steps, epochs] = [[], []];
        steps.push(...news.steps);
        epochs.push(...news.epochs);
        // Of many steps every second is forgotten, as often as it takes.
        while (steps.length > MOST) steps = steps.filter((_, index) => index % 2 === 0 || index === steps.length - 1);
        draw("live");
      });
      source.addEventListener("end", event => { close(); draw(JSON.parse(event.data).run.state); ended(); });
      source.addEventListener("wrong", event => { close(); draw(JSON.parse(event.data).error); });
      source.onerror = () => { if (source?.readyState === EventSource.CLOSED) { close(); draw("the connection is gone"); } };
    },
  };
}
