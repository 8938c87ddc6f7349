// The graph beside the rows: what goes into what.  Neighbours are joined by a straight line; what
// passes others by goes around them, in lanes.
const MOST_LANES = 9;
const wires = draw("svg", { class: "wires", "aria-hidden": "true" });
let edges = [], dots = [];

// For each layer, the rows whose output it stands for: its own, or, where it is not shown, those
// of what it takes.
const rowsOf = () => {
  const own = layers.map(() => -1);
  view.rows.forEach((node, at) => {
    if (isOpen(node)) return;
    own.fill(at, node.first, node.last + 1);
  });
  const stands = [];
  layers.forEach((layer, index) => {
    stands.push(own[index] >= 0 ? [own[index]] : [...new Set(layer[INPUTS].flatMap((source) => stands[source]))]);
  });
  return [own, stands];
};

const wire = () => {
  const [own, stands] = rowsOf();
  const drawn = new Map();
  layers.forEach((layer, index) => {
    if (own[index] < 0) return;
    layer[INPUTS].forEach((source) => stands[source].forEach((from) => {
      const to = own[index];
      if (from < to) drawn.set(from * view.rows.length + to, [from, to]);
    }));
  });
  const places = [...new Set(own.filter((at) => at >= 0))].sort((a, b) => a - b);
  const order = new Map(places.map((at, n) => [at, n]));
  edges = [...drawn.values()].map(([from, to]) => ({ from, to, lane: 0 }));
  const lanes = [];
  edges.filter(({ from, to }) => order.get(to) - order.get(from) > 1)
    .sort((a, b) => (a.to - a.from) - (b.to - b.from))
    .forEach((edge) => {
      let lane = lanes.findIndex((taken) => taken.every(({ from, to }) => to <= edge.from || from >= edge.to));
      if (lane < 0) lane = lanes.length < MOST_LANES ? lanes.push([]) - 1 : MOST_LANES - 1;
      lanes[lane].push(edge);
      edge.lane = lane + 1;
    });
  const grid = document.getElementById("layers");
  const narrow = matchMedia("(max-width: 40rem)").matches;
  const step = lanes.length > 4 || narrow ? 5 : 8;
  const gutter = 14 + step * lanes.length + 8;
  grid.style.setProperty("--gutter", `${gutter}px`);
  const tall = view.rows.length ? view.rows[0].row.offsetHeight : 0;
  const x = gutter - 8, y = (at) => (at + 0.5) * tall;
  wires.setAttribute("width", gutter);
  wires.setAttribute("height", tall * view.rows.length);
  edges.forEach((edge) => {
    const top = y(edge.from), end = y(edge.to), side = x - 4 - step * edge.lane, bend = tall * 0.45;
    edge.path = draw("path", {
      d: edge.lane
        ? `M${x} ${top}C${side} ${top} ${side} ${top} ${side} ${top + bend}V${end - bend}C${side} ${end} ${side} ${end} ${x} ${end}`
        : `M${x} ${top}V${end}`,
    });
  });
  dots = new Map(places.map((at) => {
    const weighs = sum(view.rows[at], PARAMS) > 0;
    return [at, draw("circle", { cx: x, cy: y(at), r: 3.5, class: weighs ? "weighs" : "" })];
  }));
  wires.replaceChildren(...edges.map((edge) => edge.path), ...dots.values());
  rowsPlace.prepend(wires);
};

const light = (node) => {
  const at = view.rows.indexOf(node);
  const end = node.open ? view.rows.findIndex((other, n) => n > at && other.level <= node.level) : at + 1;
  const inside = (place) => place >= at && place < (end < 0 ? view.rows.length : end);
  edges.forEach(({ from, to, path }) => path.classList.toggle("lit", inside(from) !== inside(to) || (inside(from) && inside(to) && !node.open)));
  dots.forEach((dot, place) => dot.classList.toggle("lit", inside(place)));
};
