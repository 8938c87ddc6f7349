// What an element of the chosen layer's output depends on, drawn over a picture to scale.
const MARGIN = 0.13 * Math.max(HEIGHT, WIDTH);
const MOST_DOTS = 900;
const sight = document.getElementById("sight");
const seen = { layer: null, at: null };

const around = [-MARGIN, -MARGIN, WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN];
const canvas = draw("svg", { viewBox: around.join(" "), role: "img", tabindex: 0 });
const veil = draw("path", { class: "veil", "fill-rule": "evenodd" });
const marks = draw("g", {});
canvas.append(
  draw("use", { href: "#scene", width: WIDTH, height: HEIGHT }), veil,
  draw("rect", { class: "edge", width: WIDTH, height: HEIGHT }), marks,
);
const caption = make("p");
sight.append(canvas, caption);

// First pixel and length, along an axis (0: rows), of what the element at an index sees.
const span = (field, axis, index, of = WIDEST) => {
  const uneven = field[axis ? COLUMN_SPANS : ROW_SPANS];
  const begin = uneven ? uneven[index][0] : field[START][axis] + index * field[STRIDE][axis];
  const long = uneven ? Math.max(0, uneven[index][1] - uneven[index][0] + 1) : field[WIDEST][axis];
  if (of === WIDEST) return [begin, long];
  return [begin + (long - field[LEAST][axis]) / 2, field[LEAST][axis]];
};
const rect = (name, [top, tall], [left, wide]) => draw("rect", { class: name, x: left, y: top, width: wide, height: tall });

const look = (layer, at) => {
  seen.layer = layer;
  const field = fieldOf(layer), sides = layers[layer][SIDES];
  const located = field && (field[STATUS] === "exact" || field[STATUS] === "bound");
  const all = !located && !(field && field[STATUS] !== "whole");
  seen.at = located && sides ? (at || sides.map((side) => side >> 1)) : null;
  marks.replaceChildren();
  if (!located) {
    veil.setAttribute("d", all ? "" : `M0 0H${WIDTH}V${HEIGHT}H0Z`);
    if (all) marks.append(rect("widest", [0, HEIGHT], [0, WIDTH]));
    caption.textContent = all ? "Every value sees the whole image." : `What a value sees is ${field[STATUS]}.`;
    canvas.setAttribute("aria-label", caption.textContent);
    return;
  }
  // A token's or a value's place in the image is not one stride; its field is drawn in the middle.
  const centred = (axis, of) => [([HEIGHT, WIDTH][axis] - field[of][axis]) / 2, field[of][axis]];
  const place = (axis, of) => (seen.at ? span(field, axis, seen.at[axis], of) : centred(axis, of));
  const [rows, columns] = [place(0, WIDEST), place(1, WIDEST)];
  const clip = (begin, long, side, low = Math.max(0, begin)) => [low, Math.max(low, Math.min(side, begin + long))];
  const [top, bottom] = clip(...rows, HEIGHT), [left, right] = clip(...columns, WIDTH);
  veil.setAttribute("d", `M0 0H${WIDTH}V${HEIGHT}H0ZM${left} ${top}H${right}V${bottom}H${left}Z`);
  const least = field[LEAST].some((side, axis) => side < field[WIDEST][axis]);
  if (sides && sides[0] * sides[1] <= MOST_DOTS) marks.append(lattice(field, sides));
  marks.append(rect("widest", rows, columns));
  if (least) marks.append(rect("least", place(0, LEAST), place(1, LEAST)));
  if (seen.at) marks.append(dot(field, seen.at, "here", 3.2));
  caption.textContent = say(field, sides, [bottom - top, right - left]);
  canvas.setAttribute("aria-label", caption.textContent);
};
const unit = () => Math.max(HEIGHT, WIDTH) / 290;
const centre = (field, axis, index) => { const [begin, long] = span(field, axis, index); return begin + long / 2; };
const dot = (field, [row, column], name, size) =>
  draw("circle", { class: name, cx: centre(field, 1, column), cy: centre(field, 0, row), r: size * unit() });
const lattice = (field, [rows, columns]) => {
  const drawn = draw("g", {});
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) drawn.append(dot(field, [row, column], "lattice", 1.5));
  return drawn;
};
const say = (field, sides, [tall, wide]) => {
  const where = seen.at ? `Row ${seen.at[0] + 1}, column ${seen.at[1] + 1} of ${by(sides)}` : "A value";
  const bound = field[STATUS] === "bound" ? "at most " : "";
  const beyond = tall < field[WIDEST][0] || wide < field[WIDEST][1];
  const part = share(tall * wide, HEIGHT * WIDTH);
  return `${where} sees ${bound}${by(field[WIDEST])} px: ${part} of the image${beyond ? ", and padding" : ""}.`;
};

const move = (rows, columns) => {
  const sides = seen.layer !== null && seen.at && layers[seen.layer][SIDES];
  if (sides) look(seen.layer, [rows, columns].map((to, axis) => Math.max(0, Math.min(sides[axis] - 1, to))));
};
canvas.addEventListener("pointermove", (event) => {
  if (!seen.at) return;
  const field = fieldOf(seen.layer), sides = layers[seen.layer][SIDES];
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(canvas.getScreenCTM().inverse());
  const nearest = (axis, to) => {
    let best = 0;
    for (let index = 1; index < sides[axis]; index++)
      if (Math.abs(centre(field, axis, index) - to) < Math.abs(centre(field, axis, best) - to)) best = index;
    return best;
  };
  move(nearest(0, point.y), nearest(1, point.x));
});
canvas.addEventListener("keydown", (event) => {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (!step || !seen.at) return;
  move(seen.at[0] + step[0], seen.at[1] + step[1]);
  event.preventDefault();
});
