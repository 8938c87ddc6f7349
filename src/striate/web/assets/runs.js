// The Runs tab: what there is, what differs between those that are chosen, training as it goes on.

import {get} from "./ask.js";
import {chart} from "./chart.js";
import {compared} from "./compared.js";
import {el, percent, seconds, short} from "./dom.js";
import {live} from "./live.js";

const EVERY = 5000;

export function runs(panel) {
  let all = [], chosen = [], timer = null, visible = false, turn = 0;
  const body = el("tbody", {});
  const problem = el("p.problem", {role: "alert", hidden: true});
  const empty = el("p.calm", {hidden: true}, "No runs yet. striate fit writes them to runs/.");
  const left = el("p.small", {hidden: true});
  const detail = el("div", {"aria-live": "polite"});
  const feed = live({ended: list});
  panel.append(
    problem, empty,
    el("div.scroll", {tabIndex: 0, role: "region", "aria-label": "Runs"}, el("table", {},
      el("thead", {}, el("tr", {}, [el("th", {scope: "col"}, el("span.hidden", {}, "choose")), ...["run", "state", "data", "network", "parameters", "accuracy", "ECE", "epochs", "time"]
        .map((name, index) => el(index > 3 ? "th.num" : "th", {scope: "col"}, name))])), body)),
    left,
    el("p.small", {}, "Choose one to see its curves (live while it trains), two or more to compare them."),
    detail);

  async function list() {
    try {
      const found = await get("/api/runs");
      all = found.runs;
      problem.hidden = true;
      left.hidden = found.left_out.length === 0;
      left.textContent = `Left out, since they lead to somewhere else: ${found.left_out.join(", ")}.`;
    } catch (error) {
      problem.hidden = false;
      problem.textContent = error.message;
    }
    empty.hidden = all.length > 0;
    draw();
  }

  function draw() {
    chosen = chosen.filter(name => all.some(run => run.name === name));
    const focused = document.activeElement?.id;
    body.replaceChildren(...all.map((run, index) => el(chosen.includes(run.name) ? "tr.marked" : "tr", {},
      el("td", {}, el("input", {type: "checkbox", id: `run-${index}`, checked: chosen.includes(run.name), onchange: event => pick(run.name, event.target.checked)})),
      el("th", {scope: "row"}, el("label", {htmlFor: `run-${index}`}, run.name)),
      el(`td.state-${run.state}`, {title: run.why}, run.state === "training" ? `training, epoch ${run.epoch} of ${run.epochs ?? "?"}` : run.state),
      el("td", {}, run.data ?? ""), el("td", {}, run.network ?? ""),
      el("td.num", {}, run.params === null ? "" : short(run.params)),
      el("td.num", {}, run.accuracy !== null ? percent(run.accuracy) : run.val_accuracy !== null ? `${percent(run.val_accuracy)} val` : ""),
      el("td.num", {}, run.ece === null ? "" : percent(run.ece)),
      el("td.num", {}, run.epochs === null ? "" : `${run.epoch}/${run.epochs}`),
      el("td.num", {}, run.seconds === null ? "" : seconds(run.seconds)))));
    if (focused?.startsWith("run-")) document.getElementById(focused)?.focus();
  }

  function pick(name, on) {
    chosen = on ? [...chosen, name] : chosen.filter(other => other !== name);
    draw();
    show();
  }

  async function show() {
    const mine = ++turn;
    feed.close();
    if (chosen.length === 0) { detail.replaceChildren(); return; }
    try {
      if (chosen.length === 1) {
        const run = all.find(one => one.name === chosen[0]);
        if (run.state === "training") { detail.replaceChildren(feed.node); feed.open(run); return; }
        const found = await get(`/api/runs/curves?run=${encodeURIComponent(run.name)}`);
        if (mine === turn) detail.replaceChildren(curves(found));
        return;
      }
      const found = await get(`/api/runs/compare?${chosen.map(name => `run=${encodeURIComponent(name)}`).join("&")}`);
      if (mine === turn) detail.replaceChildren(compared(found));
    } catch (error) {
      if (mine === turn) detail.replaceChildren(el("p.problem", {role: "alert"}, error.message));
    }
    document.dispatchEvent(new CustomEvent("striate:runs"));
  }

  return {
    opened() {
      visible = true;
      list();
      timer ??= setInterval(() => { if (visible && !document.hidden) list(); }, EVERY);
    },
    left() { visible = false; },
  };
}

function curves({run, epochs}) {
  if (epochs.length === 0) return el("p.calm", {}, `${run.name} has not finished an epoch.`);
  const line = (name, key, quiet) => ({name, quiet, points: epochs.filter(one => one[key] !== null).map(one => [one.epoch, one[key]])});
  return el("section.card", {}, el("h2", {}, run.name), el("div.charts", {},
    chart({title: "loss", x: "epoch", lines: [line("training", "train_loss", true), line("validation", "val_loss")]}),
    chart({title: "accuracy", x: "epoch", share: true, lines: [line("training", "train_accuracy", true), line("validation", "val_accuracy")]})));
}
