// The Design tab: a text and a form that say the same, and what they make, at every keystroke.

import {get, newest, post} from "./ask.js";
import {by, bytes, download, el, short} from "./dom.js";
import {editor} from "./editor.js";
import {findings} from "./findings.js";
import {form} from "./form.js";
import {layers} from "./layers.js";
import {scaling} from "./scaling.js";
import {strip} from "./strip.js";

export function design(panel, start, {say}) {
  let toml = start.toml, arch = null, revision = 0;

  const text = editor({changed: value => change({toml: value})});
  const fields = form({changed: data => change({toml, form: data})});
  const said = findings({
    mend: one => mend(one),
    goto: line => text.goto(line),
  });
  const drawn = strip();
  const table = layers({chosen: row => drawn.show(row)});
  const scaled = scaling({take: value => { text.set(value); change({toml: value}); }});
  const totals = el("dl.totals", {"aria-label": "Costs of one image"});
  const problem = el("p.problem", {role: "alert", hidden: true});
  const zoo = el("select", {
    "aria-label": "Begin with a network of the zoo",
    onchange: async () => {
      const found = await get(`/api/zoo/${encodeURIComponent(zoo.value)}`);
      text.set(found.toml);
      change({toml: found.toml});
    },
  }, el("option", {value: "", disabled: true, selected: true}, "begin with …"), start.zoo.map(name => el("option", {}, name)));
  const stem = () => (arch?.name ?? "design").replace(/[^\w.-]+/g, "-");

  panel.append(
    el("div.bar", {},
      zoo,
      el("span.grow", {}),
      el("button.quiet", {onclick: () => download(`${stem()}.toml`, toml)}, "TOML ↓"),
      el("button.quiet", {onclick: source}, "PyTorch ↓")),
    el("div.two", {},
      el("div.said", {}, text.node, fields.node),
      el("div.found", {},
        problem, totals,
        el("section.card", {"aria-labelledby": "findings-title"},
          el("h2", {id: "findings-title"}, "Findings"), said.node),
        el("section.card", {"aria-labelledby": "strip-title"},
          el("h2", {id: "strip-title"}, "Stages, and what each value sees"), drawn.node),
        el("section.card", {"aria-labelledby": "scale-title"},
          el("h2", {id: "scale-title"}, "Larger and smaller"), scaled.node),
        el("section.card", {"aria-labelledby": "layers-title"},
          el("h2", {id: "layers-title"}, "Layers"), table.node))));

  const ask = newest(
    asked => post("/api/design", {toml: asked.toml, form: asked.form ?? null}),
    (answer, asked) => show(answer, asked),
    error => wrong(error.message));

  function change(asked) {
    toml = asked.toml;
    scaled.stop();
    ask({...asked, revision: ++revision, at: performance.now()});
  }

  function show(answer, asked) {
    if (asked.form && asked.revision === revision && answer.problem === null) {
      toml = answer.toml;
      text.set(toml);
    }
    wrong(answer.problem ?? answer.stopped);
    panel.classList.toggle("stale", answer.problem !== null);
    if (answer.problem === null) {
      arch = answer.arch;
      said.show(answer.findings, answer.blocks.length);
      text.mark(answer.findings);
      totals.replaceChildren(...costs(answer));
      drawn.draw(answer.image, answer.blocks);
      table.show(answer.layers);
      scaled.show(toml, answer.cost, answer.image);
    }
    // Told when what was drawn is on the screen: a frame's callbacks run before it is painted.
    requestAnimationFrame(() => setTimeout(() => document.dispatchEvent(new CustomEvent("striate:painted", {
      detail: {revision: asked.revision, milliseconds: performance.now() - asked.at, server: answer.milliseconds},
    }))));
    // The form says what the text says, which its writer knows already: it can come a moment later.
    if (!asked.form && answer.problem === null) setTimeout(() => { if (asked.revision === revision) fields.show(arch); }, 150);
  }

  function wrong(message) {
    problem.hidden = !message;
    problem.textContent = message ?? "";
  }

  async function mend(one) {
    try {
      const done = await post("/api/design/mend", {toml, code: one.code, path: one.path});
      if (done.refused) return `not made: ${done.refused}`;
      text.set(done.toml);
      change({toml: done.toml});
      say(`mended ${[...new Set(done.gone)].join(", ")}${done.gone.length > 1 ? ` at ${done.gone.length} places` : ""}`);
      return null;
    } catch (error) {
      return error.message;
    }
  }

  async function source() {
    try {
      const written = await post("/api/design/code", {toml});
      download(`${stem()}.py`, written.code);
      say(`${written.name}: equal in ${written.checked.join(" and ")}`);
    } catch (error) {
      wrong(error.message);
    }
  }

  get("/api/schema").then(schema => { text.learn(schema); fields.learn(schema, arch); });
  text.set(toml);
  change({toml});
  return {};
}

function costs(answer) {
  const all = [
    ["image", by(answer.image)], ["parameters", short(answer.cost.params)], ["MACs", short(answer.cost.macs)],
    ["activations", short(answer.cost.activations)], ["to train, one image", bytes(answer.train_bytes)],
  ];
  return all.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
}
