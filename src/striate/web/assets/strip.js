// The network as a strip of blocks: the size of each map, and over an image how far a value sees.

import {by, el, short, svg} from "./dom.js";

const TILE = 112;

// First pixel and count along an axis of what the element at `index` sees.
export function span(field, axis, index) {
  const uneven = field.spans?.[axis];
  if (uneven) {
    const [first, last] = uneven[Math.min(index, uneven.length - 1)];
    return [first, last - first + 1];
  }
  return [field.start[axis] + index * field.stride[axis], field.size[axis]];
}

export const located = field => field !== null && (field.status === "exact" || field.status === "bound");

export function sees(field) {
  if (field === null) return "";
  if (!located(field)) return field.status;
  const [tall, wide] = field.size;
  return `${field.status === "bound" ? "≤ " : ""}${tall === wide ? wide : `${tall}×${wide}`} px`;
}

export function strip() {
  let image = [3, 224, 224], blocks = [], picture = "/assets/scene.svg", own = null, shown = null;
  const list = el("ol.strip", {});
  const file = el("input", {type: "file", accept: "image/*", id: "own-picture", onchange: () => {
    if (own) URL.revokeObjectURL(own);
    own = URL.createObjectURL(file.files[0]);
    picture = own;
    redraw();
  }});
  const node = el("div", {}, list,
    el("p.small", {}, el("label.file", {htmlFor: "own-picture"}, "Draw the fields over an image of yours", file),
      " It stays in this browser."));

  function slab(shape, widest) {
    const largest = Math.max(image[1], image[2]);
    const channels = shape[0], [tall, wide] = shape.length === 3 ? shape.slice(1) : [1, 1];
    const height = Math.max(4, 62 * Math.sqrt(tall / largest)), skew = Math.max(2, 22 * Math.sqrt(wide / largest));
    const deep = 5 + 50 * Math.log1p(channels) / Math.log1p(Math.max(widest, 2));
    const left = (TILE - deep - skew) / 2, floor = 88, top = floor - height, rise = skew * 0.62;
    const faces = {
      front: [[left, top], [left + deep, top], [left + deep, floor], [left, floor]],
      top: [[left, top], [left + skew, top - rise], [left + skew + deep, top - rise], [left + deep, top]],
      side: [[left + deep, top], [left + deep + skew, top - rise], [left + deep + skew, floor - rise], [left + deep, floor]],
    };
    return svg("svg.slab", {viewBox: `0 0 ${TILE} 92`, "aria-hidden": "true"}, Object.entries(faces).map(([face, points]) =>
      svg(`polygon.${face}`, {points: points.map(point => point.map(n => n.toFixed(1)).join()).join(" ")})));
  }

  function tile(part) {
    const [, height, width] = image, scale = TILE / Math.max(height, width);
    const across = width * scale, down = height * scale, left = (TILE - across) / 2, top = (TILE - down) / 2;
    const drawn = [svg("image", {href: picture, x: left, y: top, width: across, height: down, preserveAspectRatio: "xMidYMid slice"})];
    let label = "the image";
    if (part) {
      const [y, tall, x, wide] = part.whole || !located(part.field) ? [0, height, 0, width]
        : [0, 1].flatMap(axis => span(part.field, axis, Math.floor(part.shape[axis + 1] / 2)));
      label = `${part.name}: ${words(part)}`;
      drawn.push(svg("rect.field", {x: left + x * scale, y: top + y * scale, width: wide * scale, height: tall * scale}));
    }
    return svg("svg.view", {viewBox: `-6 -6 ${TILE + 12} ${TILE + 12}`, role: "img", "aria-label": label}, drawn);
  }

  function words(part) {
    if (part.whole || part.field === null) return "sees the whole image";
    return located(part.field) ? `field ${sees(part.field)}` : `field ${part.field.status}`;
  }

  function item(part, widest) {
    return el("li.block", {},
      slab(part ? part.shape : image, widest), tile(part),
      el("p.name", {}, part ? part.name : "image"),
      el("p.size", {}, part ? (part.shape.length === 3 ? by([part.shape[1], part.shape[2], part.shape[0]]) : `${part.shape.at(-1)} values`)
        : by([image[1], image[2], image[0]])),
      el("p.cost", {}, part ? words(part) : "pixels"),
      part && el("p.cost", {}, `${short(part.params)} params · ${short(part.macs)} MACs`));
  }

  function redraw() {
    const widest = Math.max(image[0], ...blocks.map(part => part.shape[0]));
    const parts = shown === null ? blocks : [...blocks, {...shown, whole: !located(shown.field), name: shown.path}];
    list.replaceChildren(item(null, widest), ...parts.map(part => item(part, widest)));
    if (shown !== null) list.lastChild.classList.add("chosen");
  }

  let before = "";
  return {
    node,
    draw(size, found) {
      const now = JSON.stringify([size, found]);
      if (now === before && shown === null) return;
      before = now;
      [image, blocks, shown] = [size, found, null];
      redraw();
    },
    // A layer of the table beside the blocks.
    show(layer) {
      shown = layer.shape.length === 3 ? layer : null;
      redraw();
      if (shown !== null) list.lastChild.scrollIntoView({block: "nearest"});
    },
  };
}
