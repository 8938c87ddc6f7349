// What the page knows, and how it says numbers.
//
// data.layers holds one list an operation, in the order of execution; the constants below name its
// places.  Strings and fields are numbers into data.strings and data.fields.
const data = JSON.parse(document.getElementById("data").textContent);
const [PATH, OP, SHAPE, INPUTS, PARAMS, MACS, ACTIVATIONS, WRITTEN, SAVED, FIELD, SOURCE, DEFINED,
  CLASS, ATTRS, TYPE, FLAGS, SIDES] = Array(17).keys();
const [STATUS, WIDEST, LEAST, STRIDE, START, GATED, ROW_SPANS, COLUMN_SPANS] = Array(8).keys();
const GATE = 1, SHOWN = 2;
const [CHANNELS, HEIGHT, WIDTH] = data.image;

const layers = data.layers;
const word = (layer, what) => data.strings[layers[layer][what]];
const fieldOf = (layer) => (layers[layer][FIELD] < 0 ? null : data.fields[layers[layer][FIELD]]);

// Who takes each output; sums up to each layer, so that a stretch of layers is a difference.
const users = layers.map(() => []);
layers.forEach((layer, index) => layer[INPUTS].forEach((source) => users[source].push(index)));
const sums = [PARAMS, MACS, ACTIVATIONS, WRITTEN, SAVED].reduce((found, what) => {
  const upTo = [0];
  layers.forEach((layer) => upTo.push(upTo[upTo.length - 1] + (layer[what] || 0)));
  return Object.assign(found, { [what]: upTo });
}, {});
const sum = (node, what) => sums[what][node.last + 1] - sums[what][node.first];
const known = (node) => {
  for (let at = node.first; at <= node.last; at++) if (layers[at][MACS] === null) return false;
  return true;
};

const by = (values) => values.join("×");
const whole = (value) => value.toLocaleString("en-US");
const scaled = (value, base, units, gap) => {
  let step = 0;
  while (value >= base - 0.5 && step < units.length - 1) { value /= base; step += 1; }
  if (step === 0) return `${Math.round(value)}${gap}${units[0]}`.trim();
  return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0) + gap + units[step];
};
const short = (value) => scaled(value, 1000, ["", "k", "M", "G", "T"], "\u2009");
const bytes = (value) => scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"], "\u00a0");
const share = (part, total) => {
  const percent = total ? (part / total) * 100 : 0;
  const said = percent === 0 || percent === 100 ? percent
    : percent < 0.1 ? "<\u00a00.1" : percent > 99.9 ? ">\u00a099.9" : percent.toFixed(1);
  return `${said}\u00a0%`;
};
const square = ([tall, wide]) => (tall === wide ? `${tall}` : `${tall}×${wide}`);
const out = (layer) => by(layers[layer][SHAPE].slice(1)) || "scalar";

const sees = (field) => {
  if (!field) return "";
  if (field[STATUS] === "whole") return "whole";
  if (field[STATUS] === "unknown" || field[STATUS] === "data-dependent") return "?";
  return (field[STATUS] === "bound" ? "≤ " : "") + square(field[WIDEST]);
};

// An element: tag.class.class, then what is in it.
const make = (tag, ...inside) => {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name);
  made.className = classes.join(" ");
  made.append(...inside.filter((child) => child !== null && child !== undefined));
  return made;
};
const draw = (name, attributes, ...inside) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.append(...inside);
  return made;
};
