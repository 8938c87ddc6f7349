// Sliders for depth, width and resolution, and what each alone would cost.

import {newest, post} from "./ask.js";
import {by, el, short, svg} from "./dom.js";

const AXES = ["depth", "width", "resolution"];
const FACTORS = [0.5, 0.7, 0.85, 1, 1.2, 1.5, 2];
const COSTS = ["params", "macs", "activations"];
const NAMES = {params: "parameters", macs: "MACs", activations: "activations"};
const PAUSE = 700;

export function scaling({take}) {
  let toml = null, cost = null, timer = null, made = null, turn = 0;
  const values = {depth: 1, width: 1, resolution: 1};
  const words = el("p.scaled", {"aria-live": "polite"});
  const button = el("button.mend", {disabled: true, onclick: () => { const text = made; reset(); take(text); }}, "Take this size");
  const charts = Object.fromEntries(AXES.map(axis => [axis, el("div.curve", {})]));
  const outputs = Object.fromEntries(AXES.map(axis => [axis, el("output", {}, "×1.00")]));
  const sliders = Object.fromEntries(AXES.map(axis => [axis, el("input", {
    type: "range", min: -1, max: 1, step: 0.05, value: 0, id: `scale-${axis}`,
    oninput: event => {
      values[axis] = 2 ** Number(event.target.value);
      outputs[axis].textContent = `×${values[axis].toFixed(2)}`;
      event.target.setAttribute("aria-valuetext", `times ${values[axis].toFixed(2)}`);
      ask({toml, ...values});
    },
  })]));
  const node = el("div", {}, el("div.axes", {}, AXES.map(axis => el("div.axis", {},
    el("label", {htmlFor: `scale-${axis}`}, axis, " ", outputs[axis]), sliders[axis], charts[axis]))),
    el("p.small.key", {}, COSTS.map(name => el(`span.${name}`, {}, NAMES[name])), " over the factor, both logarithmic"),
    words, button);

  const ask = newest(asked => post("/api/design/scale", asked), answer => {
    const moved = AXES.some(axis => values[axis] !== 1);
    made = moved ? answer.toml : null;
    button.disabled = made === null;
    words.textContent = answer.problem ?? (moved
      ? `${by(answer.image)} · ` + COSTS.map(name => `${short(answer.cost[name])} ${NAMES[name]} (×${(answer.cost[name] / cost[name]).toFixed(2)})`).join(" · ")
      : "");
  }, error => { words.textContent = error.message; });

  function reset() {
    for (const axis of AXES) {
      values[axis] = 1;
      sliders[axis].value = 0;
      outputs[axis].textContent = "×1.00";
    }
    made = null;
    button.disabled = true;
    words.textContent = "";
  }

  // One point after another, each a request of its own: a keystroke waits for one at most.
  async function draw() {
    const mine = ++turn;
    for (const axis of AXES) {
      const points = [];
      for (const factor of FACTORS) {
        if (factor === 1) { points.push([1, cost]); continue; }
        let answer;
        try {
          answer = await post("/api/design/scale", {toml, [axis]: factor});
        } catch {
          return;
        }
        if (mine !== turn) return;
        if (answer.cost) points.push([factor, answer.cost]);
      }
      charts[axis].replaceChildren(curve(axis, points, cost));
    }
  }

  return {
    node,
    stop() { turn++; clearTimeout(timer); },
    show(text, now) {
      if (text !== toml) reset();
      [toml, cost] = [text, now];
      turn++;
      clearTimeout(timer);
      timer = setTimeout(draw, PAUSE);
    },
  };
}

// Factors of cost over factors of the axis; both logarithmic, ×¼ to ×8 over ×½ to ×2.
function curve(axis, points, base) {
  const x = factor => 6 + 148 * (Math.log2(factor) + 1) / 2;
  const y = times => 84 - 76 * (Math.min(3, Math.max(-2.5, Math.log2(times))) + 2.5) / 5.5;
  const lines = COSTS.map(name => svg(`polyline.${name}`, {
    points: points.map(([factor, cost]) => `${x(factor).toFixed(1)},${y(cost[name] / base[name]).toFixed(1)}`).join(" "),
  }));
  const ends = points.at(-1);
  const label = `${axis} ×${ends[0]}: ` + COSTS.map(name => `${NAMES[name]} ×${(ends[1][name] / base[name]).toFixed(2)}`).join(", ");
  return svg("svg.lines", {viewBox: "0 0 160 92", role: "img", "aria-label": label},
    [-2, -1, 0, 1, 2, 3].map(power => svg(power === 0 ? "line.one" : "line.grid", {x1: 6, x2: 154, y1: y(2 ** power), y2: y(2 ** power)})),
    lines, svg("title", {}, label));
}
