// The image as the network is given it, with the receptive field of one value drawn over it.

import {by, el, svg} from "./dom.js";
import {located, sees, span} from "./strip.js";

export function picture() {
  let size = [1, 1];
  const image = svg("image", {x: 0, y: 0});
  const box = svg("rect.field", {});
  const frame = svg("svg.seen", {role: "img", "aria-label": "The image as the network is given it"}, image, box);
  const words = el("p.small", {"aria-live": "polite"});
  return {
    node: el("figure", {}, frame, el("figcaption", {}, words)),
    show(address, shape) {
      size = shape.slice(1);
      frame.setAttribute("viewBox", `${-size[1] * 0.04} ${-size[0] * 0.04} ${size[1] * 1.08} ${size[0] * 1.08}`);
      image.setAttribute("href", address);
      image.setAttribute("width", size[1]);
      image.setAttribute("height", size[0]);
      box.setAttribute("visibility", "hidden");
      words.textContent = `${by(size)} pixels, as the network is given them. Click a pixel of any map to see its field here.`;
    },
    mark(layer, row, col) {
      const known = located(layer.field);
      const [top, tall, left, wide] = known ? [...span(layer.field, 0, row), ...span(layer.field, 1, col)] : [0, size[0], 0, size[1]];
      box.setAttribute("visibility", "visible");
      for (const [name, value] of [["x", left], ["y", top], ["width", wide], ["height", tall]]) box.setAttribute(name, value);
      const seen = layer.field === null ? "its field is unknown"
        : known ? `its field is ${sees(layer.field)}${layer.field.gated ? ", and a gate that saw more scales it" : ""}` : `its field is ${layer.field.status}`;
      words.textContent = `${layer.path}, row ${row}, column ${col}: ${seen}.`;
    },
  };
}
