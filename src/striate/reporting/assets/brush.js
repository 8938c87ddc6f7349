// Brushing: the block that is pointed at, or chosen with the slider, is lit wherever it is named.
const within = (name, block) => name === block || name.startsWith(`${block}.`);
const touches = (one, other) => within(one, other) || within(other, one);
const brush = document.getElementById("brush");
const blocks = brush ? brush.dataset.names.split("\n") : [];
let kept = null, lit = null;

const light = (name) => {
  if (name === lit) return;
  lit = name;
  document.querySelectorAll("[data-block]").forEach((place) => place.toggleAttribute("data-lit", name !== null && touches(place.dataset.block, name)));
  document.querySelectorAll(".measure").forEach((row) => {
    const bar = row.querySelector("[data-lit]"), says = row.querySelector(".says");
    says.textContent = bar ? bar.dataset.says : says.dataset.ends;
  });
  const at = blocks.findIndex((block) => name !== null && touches(block, name));
  if (at >= 0) brush.value = at;
};
const choose = (name) => {
  kept = name;
  light(name);
  if (!brush) return;
  const words = name === null ? "none chosen" : name;
  document.getElementById("chosen").textContent = words;
  const numbers = [...document.querySelectorAll(".measure")].map((row) =>
    `${row.querySelector("strong").textContent} ${row.querySelector(".says").textContent}`);
  brush.setAttribute("aria-valuetext", name === null ? words : `${name}: ${numbers.join(", ")}`);
};
if (brush) {
  brush.parentElement.hidden = false;
  brush.addEventListener("input", () => choose(blocks[Number(brush.value)]));
  // The first block is where the slider stands: a key that leaves it there chooses it all the same.
  brush.addEventListener("keydown", (event) => {
    if (kept === null && event.key.startsWith("Arrow")) { choose(blocks[Number(brush.value)]); event.preventDefault(); }
  });
}
document.addEventListener("pointerover", (event) => {
  const place = event.target.closest("[data-block]");
  light(place ? place.dataset.block : kept);
});
document.addEventListener("click", (event) => {
  const place = event.target.closest("[data-block]");
  if (place && !event.target.closest("a, button, summary")) choose(place.dataset.block);
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape") choose(null); });
document.documentElement.dataset.brush = "ready";
