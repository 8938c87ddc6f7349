// The module tree as rows: what is shown, what is folded, and the keys that move in it.
const view = { every: false, find: "", chosen: null, rows: [], roots: [], opened: new Set() };

// A tree of nodes {kind, name, parent, level, kids, first, last, open} over data.tree; a module
// that holds one thing is that thing, with both names.
const plant = (parts, parent) => {
  const nodes = [];
  for (const part of parts) {
    const node = typeof part === "number" ? leaf(part, parent) : branch(part, parent);
    if (node) nodes.push(node);
  }
  return nodes;
};
const leaf = (index, parent) => {
  if (!view.every && !(layers[index][FLAGS] & SHOWN)) return null;
  return { kind: "layer", name: "", parent, kids: [], first: index, last: index, path: layers[index][PATH] };
};
const ends = (parts) => {
  const first = (part) => (typeof part === "number" ? part : first(part.k[0]));
  const last = (part) => (typeof part === "number" ? part : last(part.k[part.k.length - 1]));
  return [first(parts[0]), last(parts[parts.length - 1])];
};
const branch = (part, parent) => {
  const run = part.x !== undefined;
  const node = { kind: run ? "run" : "module", parent, name: part.n || "", cls: "", times: part.x, open: false };
  [node.first, node.last] = ends(part.k);
  node.kids = plant(part.k, node);
  if (!node.kids.length) return null;
  if (run) {
    const names = part.k.filter((kid) => kid.n !== undefined).map((kid) => kid.n);
    node.name = `${names[0]} – ${names[names.length - 1]}`;
    node.period = part.e;
    node.path = parent ? parent.path : -1;
    if (node.kids.length === 1) return Object.assign(node.kids[0], { parent });
    return node;
  }
  node.path = part.p;
  node.cls = data.strings[part.c];
  if (node.kids.length === 1 && node.kids[0].kind !== "run") {
    const only = node.kids[0];
    const name = only.name ? `${node.name}.${only.name}` : node.name;
    // What was left out around it (norms, activations) still counts: it keeps the module's ends.
    return Object.assign(only, { parent, name, first: node.first, last: node.last, shown: only.shown ?? only.first });
  }
  return node;
};

const each = (nodes, act) => nodes.forEach((node) => { act(node); each(node.kids, act); });
const isBlock = (node) => node.kids.length > 0 && node.kids.every((kid) => !kid.kids.length);
// How far: 0, as deep as a screen holds; 1, down to the blocks; 2, everything.
const unfold = (level) => {
  const open = (most) => each(view.roots, (node) => {
    const holds = node.kids.length > 0;
    node.open = holds && (level === 2 || (!isBlock(node) && node.kind !== "run" && depth(node) < most));
  });
  open(level ? Infinity : 0);
  for (let most = 1; level === 0 && most < 9; most++) {
    open(most);
    if (flatten().length > SCREEN) { open(most - 1); break; }
  }
};
const SCREEN = 32;
const depth = (node) => (node.parent ? depth(node.parent) + 1 : 0);

// The last operation of a row: what comes out of it, and what its output sees.
const result = (node) => (node.kind === "layer" && node.shown !== undefined ? node.shown : node.last);
const title = (node) => {
  if (node.kind === "run") return node.name;
  if (node.name) return node.name;
  return layers[node.first][INPUTS].length ? "·" : "image";
};
const full = (node) => (node.kind === "run" && node.parent ? `${data.strings[node.parent.path]}.${node.name}` : node.path >= 0 ? data.strings[node.path] : "") || title(node);
const does = (node) => (node.kind === "layer" ? word(result(node), OP) : node.kind === "run" ? node.kids[0].cls || "" : node.cls);

const text = (node) => {
  if (node.words === undefined) {
    const said = [full(node), does(node)];
    for (let at = node.first; at <= node.last; at++) said.push(word(at, PATH), word(at, OP), word(at, CLASS));
    node.words = [...new Set(said)].join("\n").toLowerCase();
  }
  return node.words;
};
const found = (node) => !view.find || text(node).includes(view.find);

const flatten = () => {
  const rows = [];
  const walk = (nodes, level) => nodes.forEach((node) => {
    if (!found(node)) return;
    node.level = level;
    rows.push(node);
    if (node.open || (view.find && node.kids.some(found) && !own(node))) walk(node.kids, level + 1);
  });
  walk(view.roots, 0);
  return rows;
};
// While something is looked for, a module that is it is shown, and not all that it holds.
const own = (node) => `${full(node)}\n${does(node)}`.toLowerCase().includes(view.find);

const rowsPlace = document.getElementById("rows");
const most = { params: 0, macs: 0 };

// A bar is a share of the largest row; what is unfolded has its parts' bars below it.
const amount = (kind, value, text, node) => {
  const bar = make("div.bar");
  if (value >= most[kind] / 100 && !isOpen(node)) bar.style.width = `${(value / most[kind]) * 100}%`;
  const cell = make(`div.amount.${kind}`, make("span", text), bar);
  cell.setAttribute("role", "gridcell");
  return cell;
};
const cell = (tag, ...inside) => {
  const made = make(tag, ...inside);
  made.setAttribute("role", "gridcell");
  return made;
};

const line = (node) => {
  const at = result(node);
  const params = sum(node, PARAMS), macs = sum(node, MACS);
  const what = cell("div.what",
    make("span.fold"), make("span.name", title(node)),
    node.kind === "run" ? make("span.times", node.period > 1 ? `×${node.times} of ${node.period}` : `×${node.times}`) : null,
    make("span.op", does(node), make("span.also", ` ${out(at)}`)));
  what.style.paddingLeft = `${node.level * 0.9}rem`;
  const gate = layers[at][FLAGS] & GATE ? ".gate" : "";
  const row = make(`div.line.${node.kind}${node.kids.length ? "" : ".leaf"}${gate}`, what,
    cell("div.out", out(at)),
    amount("params", params, params ? short(params) : "", node),
    amount("macs", macs, known(node) ? (macs ? short(macs) : "") : "?", node),
    cell("div.sees", sees(fieldOf(at))));
  row.setAttribute("role", "row");
  row.setAttribute("aria-level", node.level + 1);
  row.tabIndex = -1;
  row.node = node;
  node.row = row;
  return row;
};

const show = () => {
  view.rows = flatten();
  view.opened = new Set(view.rows.map((node) => node.parent));
  most.params = most.macs = 0;
  view.rows.forEach((node) => {
    if (isOpen(node)) return;
    most.params = Math.max(most.params, sum(node, PARAMS));
    most.macs = Math.max(most.macs, sum(node, MACS));
  });
  rowsPlace.replaceChildren(...view.rows.map(line));
  view.rows.forEach((node) => {
    if (node.kids.length) node.row.setAttribute("aria-expanded", String(isOpen(node)));
  });
  document.querySelector(".none").textContent = view.rows.length ? "" : "Nothing is called that.";
  wire();
};
const isOpen = (node) => node.open || view.opened.has(node);

const choose = (node, focus) => {
  if (view.chosen && view.chosen.row) {
    view.chosen.row.setAttribute("aria-selected", "false");
    view.chosen.row.tabIndex = -1;
  }
  view.chosen = node;
  if (!node) return;
  node.row.setAttribute("aria-selected", "true");
  node.row.tabIndex = 0;
  if (focus) { node.row.focus({ preventScroll: true }); node.row.scrollIntoView({ block: "nearest" }); }
  pointed = null;
  light(node);
  tell(node);
};
// The row that a layer is in, or, where it is not shown, the one before it.
const rowAt = (layer) => {
  const before = view.rows.filter((node) => !isOpen(node) && node.first <= layer);
  return before[before.length - 1] || view.rows[0] || null;
};
// The row of a layer, with what is folded around it unfolded.
const reveal = (layer) => {
  const open = (nodes) => nodes.forEach((node) => {
    if (node.first > layer || layer > node.last || !node.kids.length) return;
    node.open = true;
    open(node.kids);
  });
  open(view.roots);
  view.find = document.getElementById("find").value = "";
  show();
  choose(rowAt(layer), true);
};

const toggle = (node, open) => {
  if (!node.kids.length || node.open === open) return;
  node.open = open;
  show();
  choose(node, true);
};
const keys = {
  ArrowDown: (node, at) => view.rows[at + 1],
  ArrowUp: (node, at) => view.rows[at - 1],
  Home: () => view.rows[0],
  End: () => view.rows[view.rows.length - 1],
  PageDown: (node, at) => view.rows[Math.min(at + 12, view.rows.length - 1)],
  PageUp: (node, at) => view.rows[Math.max(at - 12, 0)],
};
rowsPlace.addEventListener("keydown", (event) => {
  const node = event.target.node;
  if (!node || event.altKey || event.ctrlKey || event.metaKey) return;
  const to = keys[event.key] && keys[event.key](node, view.rows.indexOf(node));
  if (to) choose(to, true);
  else if (event.key === "ArrowRight") node.kids.length && !node.open ? toggle(node, true) : node.open && choose(node.kids.find((kid) => kid.row && view.rows.includes(kid)) || node, true);
  else if (event.key === "ArrowLeft") node.open ? toggle(node, false) : node.parent && view.rows.includes(node.parent) && choose(node.parent, true);
  else if (event.key === "Enter" || event.key === " ") toggle(node, !node.open);
  else if (!keys[event.key]) return;
  event.preventDefault();
});
rowsPlace.addEventListener("click", (event) => {
  const row = event.target.closest(".line");
  if (!row) return;
  const again = row.node === view.chosen || event.target.closest(".fold");
  if (row.node.kids.length && again) toggle(row.node, !row.node.open);
  else choose(row.node, true);
});
// A pointer that rests while rows are scrolled under it points at nothing.
let pointed = null, place = "";
rowsPlace.addEventListener("pointermove", (event) => {
  const row = event.target.closest(".line"), rests = place === `${event.clientX} ${event.clientY}`;
  place = `${event.clientX} ${event.clientY}`;
  if (!row || rests || event.pointerType !== "mouse" || row.node === pointed) return;
  pointed = row.node;
  light(pointed);
  tell(pointed);
});
rowsPlace.addEventListener("pointerleave", (event) => {
  pointed = null;
  if (event.pointerType === "mouse" && view.chosen) { light(view.chosen); tell(view.chosen); }
});
