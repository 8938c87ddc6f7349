// A small line chart: lines of one quantity, named at the bottom, with a grid to read them by.

import {el, plain, svg} from "./dom.js";

const WIDE = 320, TALL = 170, LEFT = 44, BOTTOM = 24, TOP = 8, RIGHT = 8;

export function chart({title, x, lines, share = false}) {
  const drawn = lines.filter(line => line.points.length);
  const points = drawn.flatMap(line => line.points);
  if (points.length === 0) return el("figure.chart", {}, el("figcaption", {}, title), el("p.calm", {}, "nothing yet"));
  const [low, high, step] = range(points.map(point => point[1]));
  const [first, last] = [Math.min(...points.map(point => point[0])), Math.max(...points.map(point => point[0]))];
  const across = value => LEFT + (WIDE - LEFT - RIGHT) * (last > first ? (value - first) / (last - first) : 0.5);
  const up = value => TALL - BOTTOM - (TALL - BOTTOM - TOP) * (value - low) / (high - low);
  const shown = value => share ? `${Math.round(1000 * value) / 10}%` : plain(Number(value.toPrecision(3)));
  const grid = Array.from({length: Math.round((high - low) / step) + 1}, (_, number) => low + number * step);
  const ends = drawn.map(line => `${line.name}: ${shown(line.points.at(-1)[1])} at ${x} ${line.points.at(-1)[0]}`).join("; ");
  return el("figure.chart", {},
    el("figcaption", {}, title),
    svg("svg", {viewBox: `0 0 ${WIDE} ${TALL}`, role: "img", "aria-label": `${title}. ${ends}`},
      grid.map(value => [svg("line.grid", {x1: LEFT, x2: WIDE - RIGHT, y1: up(value), y2: up(value)}),
        svg("text.tick", {x: LEFT - 6, y: up(value) + 3.5, "text-anchor": "end"}, shown(value))]),
      svg("text.tick", {x: LEFT, y: TALL - 6}, `${x} ${first}`),
      svg("text.tick", {x: WIDE - RIGHT, y: TALL - 6, "text-anchor": "end"}, String(last)),
      drawn.map((line, index) => line.points.length === 1
        ? svg(`circle${mark(line, index)}`, {cx: across(line.points[0][0]), cy: up(line.points[0][1]), r: 3})
        : svg(`polyline${mark(line, index)}`, {points: line.points.map(([at, value]) => `${across(at).toFixed(1)},${up(value).toFixed(1)}`).join(" ")}))),
    el("p.small.key", {}, drawn.map((line, index) => el(`span${mark(line, index)}`, {}, `${line.name} ${shown(line.points.at(-1)[1])}`))));
}

const mark = (line, index) => line.quiet ? ".quiet-line" : `.s${(line.colour ?? index) % 6 + 1}`;

// Round numbers around all values, and the round step between them: 1, 2 or 5 of some power of ten.
function range(values) {
  const low = Math.min(...values), high = Math.max(...values);
  const room = (high - low || Math.abs(high) || 1) / 3, power = 10 ** Math.floor(Math.log10(room));
  const step = [1, 2, 5, 10].map(times => times * power).find(size => size >= room);
  const first = Math.floor(low / step + 1e-9) * step;
  return [first, Math.max(first + step, Math.ceil(high / step - 1e-9) * step), step];
}
