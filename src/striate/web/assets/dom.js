// Elements made of names, attributes and children; numbers as people write them.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attrs, children) {
  for (const [name, value] of Object.entries(attrs ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && !(node instanceof SVGElement) && name !== "list" && name !== "form") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return node;
}

// el("p.note", {title: "…"}, "text", el("b", {}, "bold"))
export function el(name, attrs, ...children) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  return fill(node, attrs, children);
}

export function svg(name, attrs, ...children) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElementNS(SVG, tag);
  if (classes.length) node.setAttribute("class", classes.join(" "));
  return fill(node, attrs, children);
}

export const by = sides => sides.join("×");

// 25557032 → "25.6M"
export function short(number) {
  if (number === null || number === undefined) return "unknown";
  for (const [unit, size] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (Math.abs(number) >= size * 0.9995) {
      const value = number / size;
      return (value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2)) + unit;
    }
  }
  return String(Math.round(number));
}

export const percent = share => share >= 0.9995 ? ">99.9%" : share < 0.0005 ? "<0.1%" : (100 * share).toFixed(1) + "%";

export const plain = number => Number.isInteger(number) ? String(number) : Math.abs(number) >= 1000 || (number !== 0 && Math.abs(number) < 0.001)
  ? number.toExponential(2) : number.toPrecision(4).replace(/\.?0+$/, "");

export function bytes(count) {
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]])
    if (count >= size) return (count / size).toFixed(count / size < 10 ? 1 : 0) + " " + unit;
  return count + " bytes";
}

export function seconds(time) {
  if (time < 99.5) return time.toFixed(time < 10 ? 1 : 0) + " s";
  const minutes = Math.round(time / 60);
  return minutes < 90 ? minutes + " min" : Math.floor(minutes / 60) + " h " + (minutes % 60) + " min";
}

// Hands a text to the browser as a file.
export function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], {type: "text/plain"}));
  const link = el("a", {href: address, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
