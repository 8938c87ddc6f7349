// A convolution walked over its image: pointer, arrow keys, or by itself while the kernel is held.
const raised = (power) => [...String(power)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");
const three = (value) => {
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 999.5) return String(Number(value.toPrecision(3)));
  const [digits, power] = value.toExponential(2).split("e");
  const ten = `10${raised(Number(power))}`;
  return Number(digits) === 1 ? ten : `${Number(digits)}·${ten}`;
};
document.querySelectorAll("[data-walk]").forEach((panel) => {
  const it = JSON.parse(panel.querySelector("script").textContent);
  const [tall, wide] = [it.kernel[0].length, it.kernel[0][0].length];
  const part = (kind) => [...panel.querySelectorAll(`table.${kind}`)];
  const [patches, kernels, products] = ["patch", "kernel", "products"].map(part);
  const taken = panel.querySelector("button.taken"), given = panel.querySelector("button.given");
  const move = (button, x, y) => {
    const frame = button.querySelector("rect");
    frame.setAttribute("x", x);
    frame.setAttribute("y", y);
  };
  const fill = (table, values) => values.forEach((row, i) => row.forEach((value, j) => {
    table.rows[i].cells[j].textContent = three(value);
  }));
  let at = it.at;
  const go = (row, column) => {
    at = [row, column].map((place, axis) => Math.min(it.last[axis], Math.max(it.first[axis], place)));
    const start = at.map((place, axis) => place * it.stride[axis] - it.padding[axis]);
    const sums = it.planes.map((plane, k) => {
      const patch = it.kernel[k].map((line, i) => line.map((_, j) =>
        plane[start[0] - it.corner[0] + i * it.dilation[0]][start[1] - it.corner[1] + j * it.dilation[1]]));
      const product = patch.map((line, i) => line.map((value, j) => value * it.kernel[k][i][j]));
      const sum = product.flat().reduce((total, value) => total + value, 0);
      fill(patches[k], patch);
      fill(products[k], product);
      products[k].caption.textContent = `products: ${three(sum)} in all`;
      return sum;
    });
    const value = it.output[at[0] - it.first[0]][at[1] - it.first[1]];
    const said = sums.map(three);
    if (it.others) {
      const rest = value - it.bias - sums.reduce((total, sum) => total + sum, 0);
      said.push(`${three(rest)} (from ${it.others} more channel${it.others > 1 ? "s" : ""})`);
    }
    if (it.bias) said.push(`${three(it.bias)} (bias)`);
    panel.querySelector(".sum").textContent = `${said.join(" + ")} = ${three(value)}`;
    move(taken, start[1], start[0]);
    move(given, at[1], at[0]);
    panel.querySelectorAll(".where").forEach((place) => {
      place.textContent = `row ${at[0]}, column ${at[1]}${place.parentElement.contains(given) ? `: ${three(value)}` : ""}`;
    });
    const where = `row ${at[0]}, column ${at[1]}: ${three(value)}. Arrow keys move the kernel.`;
    taken.setAttribute("aria-label", `what goes in, with the kernel at ${where}`);
    given.setAttribute("aria-label", `what comes out, at ${where}`);
  };

  // Where in a picture, in its own rows and columns.
  const place = (button, event) => {
    const box = button.querySelector("img").getBoundingClientRect();
    const [, , width, height] = button.querySelector("svg").getAttribute("viewBox").split(" ").map(Number);
    return [(event.clientY - box.top) / box.height * height, (event.clientX - box.left) / box.width * width];
  };
  const centre = (where, axis) => Math.round(
    (where - 0.5 + it.padding[axis] - (axis ? wide - 1 : tall - 1) * it.dilation[axis] / 2) / it.stride[axis]);
  taken.addEventListener("pointermove", (event) => go(...place(taken, event).map(centre)));
  given.addEventListener("pointermove", (event) => go(...place(given, event).map(Math.floor)));
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  [taken, given, ...kernels].forEach((part) => part.addEventListener("keydown", (event) => {
    if (!steps[event.key]) return;
    go(at[0] + steps[event.key][0], at[1] + steps[event.key][1]);
    event.preventDefault();
  }));

  // The kernel walks while it is pointed at; who wants no motion moves it with the keys.
  let walking = 0;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const step = () => {
    if (at[1] < it.last[1]) go(at[0], at[1] + 1);
    else go(at[0] < it.last[0] ? at[0] + 1 : it.first[0], it.first[1]);
  };
  const stop = () => { clearInterval(walking); walking = 0; };
  kernels.forEach((kernel) => {
    kernel.tabIndex = 0;
    kernel.addEventListener("pointerenter", () => { if (!still.matches && !walking) walking = setInterval(step, 160); });
    kernel.addEventListener("pointerleave", stop);
  });
});
