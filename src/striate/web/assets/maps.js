// The layers that hand on a map, and the maps of the one that is chosen.

import {get} from "./ask.js";
import {by, el, plain} from "./dom.js";

export function maps({chosen, over}) {
  let looked = null, layer = null, turn = 0;
  const list = el("select", {id: "layer", onchange: () => load(list.selectedIndex, 0)});
  const grid = el("ul.maps", {"aria-label": "Feature maps"});
  const words = el("p.small", {"aria-live": "polite"});
  const pages = el("p", {});
  const node = el("div", {}, el("p", {}, el("label", {htmlFor: "layer"}, "layer "), list), words, grid, pages);

  async function load(index, first) {
    layer = looked.layers[index];
    const mine = ++turn;
    let found;
    try {
      found = await get(`/api/look/${looked.id}/maps?path=${encodeURIComponent(layer.path)}&first=${first}`);
    } catch (error) {
      words.textContent = error.message;
      return;
    }
    if (mine !== turn) return;
    const sheet = new Image();
    sheet.src = found.sheet;
    await sheet.decode();
    const tall = sheet.naturalHeight / found.ranges.length;
    grid.replaceChildren(...found.ranges.map((range, number) => one(found, sheet, tall, number, range)));
    const last = found.first + found.ranges.length;
    words.textContent = `${layer.kind}: ${found.channels} maps of ${by(found.size)}. Each is drawn from its own least value (black) to its greatest (white).`;
    pages.replaceChildren(
      el("button.quiet", {disabled: first === 0, onclick: () => load(index, Math.max(0, first - 32))}, "before"),
      ` ${first + 1} to ${last} of ${found.channels} `,
      el("button.quiet", {disabled: last >= found.channels, onclick: () => load(index, first + 32)}, "after"));
  }

  function one(found, sheet, tall, number, [least, greatest]) {
    const channel = found.first + number, here = layer;
    const canvas = el("canvas", {width: sheet.naturalWidth, height: tall});
    canvas.getContext("2d").drawImage(sheet, 0, number * tall, sheet.naturalWidth, tall, 0, 0, sheet.naturalWidth, tall);
    const button = el("button.map", {
      "aria-label": `map ${channel}, from ${plain(least)} to ${plain(greatest)}`,
      onclick: event => {
        const frame = canvas.getBoundingClientRect();
        // From the keyboard there is no place: the middle is taken.
        const [x, y] = event.detail === 0 ? [0.5, 0.5] : [(event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height];
        const row = Math.min(found.size[0] - 1, Math.max(0, Math.floor(y * found.size[0])));
        const col = Math.min(found.size[1] - 1, Math.max(0, Math.floor(x * found.size[1])));
        for (const other of grid.querySelectorAll(".chosen")) other.classList.remove("chosen");
        button.classList.add("chosen");
        over(here, row, col);
        chosen({...here, at: [row, col]}, channel);
      },
    }, canvas);
    return el("li", {}, button, el("span.small", {}, String(channel)));
  }

  return {
    node,
    open(found) {
      looked = found;
      list.replaceChildren(...looked.layers.map(one => el("option", {}, `${one.path} · ${one.kind} · ${one.channels} of ${by(one.size)}`)));
      if (looked.layers.length) load(0, 0);
      else words.textContent = "No layer of this network hands on a map with rows and columns.";
    },
  };
}
