// The chosen layer in words; the tools; the start.
const facts = document.getElementById("facts");

const jump = (layer) => {
  const button = make("button.jump", word(layer, PATH) ? `${word(layer, PATH)} (${word(layer, OP)})` : word(layer, OP));
  button.type = "button";
  button.addEventListener("click", () => reveal(layer));
  return button;
};
const jumps = (indices) => {
  if (!indices.length) return null;
  const shown = indices.slice(0, 6).map(jump);
  if (indices.length > 6) shown.push(make("span", `and ${indices.length - 6} more`));
  return make("span", ...shown);
};
// What a stretch of layers takes from before it, and who takes its outputs after it.
const into = (node) => {
  const found = new Set();
  for (let at = node.first; at <= node.last; at++) layers[at][INPUTS].forEach((source) => source < node.first && found.add(source));
  return [...found];
};
const outOf = (node) => {
  const found = new Set();
  for (let at = node.first; at <= node.last; at++) users[at].forEach((user) => user > node.last && found.add(user));
  return [...found];
};
const seeing = (field) => {
  if (!field) return "the whole image: its output has no place in it";
  const gated = field[GATED] ? "; what a gate saw is left out" : "";
  if (field[STATUS] === "whole") return `the whole image${gated}`;
  if (field[STATUS] === "unknown" || field[STATUS] === "data-dependent") return field[STATUS];
  return `${field[STATUS] === "bound" ? "at most " : ""}${by(field[WIDEST])} px, every ${square(field[STRIDE])} px${gated}`;
};

// A path may be broken behind its dots.
const breakable = (path) => path.split(/(?<=\.)/).flatMap((part) => [part, document.createElement("wbr")]);

const tell = (node) => {
  const at = result(node), layer = layers[at], one = node.kind === "layer";
  const field = fieldOf(at);
  const params = sum(node, PARAMS), macs = sum(node, MACS), count = node.last - node.first + 1;
  const apart = field && ["exact", "bound"].includes(field[STATUS]) && by(field[LEAST]) !== by(field[WIDEST]);
  const pairs = [
    ["output", `${out(at)} ${word(at, TYPE)}`.replace(" float32", "")],
    ["sees", seeing(field)],
    ["least", apart ? `${by(field[LEAST])} px along the narrowest path` : null],
    ["parameters", params ? `${whole(params)} (${share(params, data.totals.params)})` : "none of its own"],
    ["MACs", known(node) ? (macs ? `${short(macs)} (${share(macs, data.totals.macs)})` : "none") : "not understood"],
    ["activations", sum(node, ACTIVATIONS) ? short(sum(node, ACTIVATIONS)) : null],
    ["writes", bytes(sum(node, WRITTEN))],
    ["saves", sum(node, SAVED) ? `${bytes(sum(node, SAVED))} for backward` : null],
    ["holds", one ? null : `${whole(count)} operations`],
    ["repeats", node.kind === "run" ? `${node.times} times; numbers are of all together` : null],
    ["called with", one && word(at, ATTRS) ? word(at, ATTRS) : null],
    ["takes", jumps(into(node))],
    ["given to", jumps(outOf(node))],
    ["called at", one && word(at, SOURCE) ? word(at, SOURCE) : null],
    ["made at", word(at, DEFINED) && one ? word(at, DEFINED) : null],
  ];
  const list = make("dl", ...pairs.filter(([, said]) => said !== null)
    .map(([name, said]) => make("div", make("dt", name), make("dd", said))));
  const kind = one ? [word(at, CLASS), word(at, OP)].filter(Boolean).join(" · ") : does(node);
  facts.replaceChildren(make("h2", ...breakable(full(node))), make("p.class", kind), list);
  look(at, seen.layer === at ? seen.at : null);
};

const replant = (open) => {
  view.roots = plant(data.tree, null);
  unfold(open);
  document.querySelectorAll("[data-fold]").forEach((button) => {
    button.setAttribute("aria-pressed", String(Number(button.dataset.fold) === open));
  });
};
const again = (open) => {
  const layer = view.chosen ? result(view.chosen) : 0;
  replant(open);
  show();
  choose(rowAt(layer));
};
let unfolded = 1;
document.querySelectorAll("[data-fold]").forEach((button) => button.addEventListener("click", () => {
  unfolded = Number(button.dataset.fold);
  again(unfolded);
}));
document.getElementById("every").addEventListener("change", (event) => {
  view.every = event.target.checked;
  again(unfolded);
});
document.getElementById("find").addEventListener("input", (event) => {
  view.find = event.target.value.trim().toLowerCase();
  show();
  choose(view.rows.includes(view.chosen) ? view.chosen : view.rows[0] || null);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input")) return;
  document.getElementById("find").focus();
  event.preventDefault();
});
addEventListener("resize", () => { wire(); if (view.chosen) light(view.chosen); });

// Begin with a layer that sees about half the image, so that there is something to see.
const telling = () => {
  const half = Math.max(HEIGHT, WIDTH) / 2;
  const far = (node) => {
    const field = fieldOf(result(node));
    return field && field[STATUS] === "exact" ? Math.abs(Math.max(...field[WIDEST]) - half) : Infinity;
  };
  return view.rows.reduce((best, node) => (!node.open && far(node) < far(best) ? node : best), view.rows[0]);
};
document.getElementById("workbench").hidden = false;
replant(1);
if (flatten().length > 150) { unfolded = 0; replant(0); }
show();
choose(telling());
document.documentElement.dataset.drawn = "yes";
