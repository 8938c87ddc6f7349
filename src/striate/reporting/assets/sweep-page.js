// The chart against the chosen cost, by the chosen split; a click on a point opens its design.
// The page says when it is drawn: <html data-charts="drawn">.
const place = document.getElementById("front-chart");
const options = {
  mode: "vega-lite",
  renderer: "svg",
  actions: false,
  defaultStyle: false,
  ast: true, // expressions are interpreted, never compiled: no eval
  tooltip: { disableDefaultStyle: true },
};
const open = (id) => {
  const design = document.getElementById(id);
  if (!design || design.tagName !== "DETAILS") return;
  design.open = true;
  design.scrollIntoView({ block: "start" });
  design.querySelector("summary").focus({ preventScroll: true });
};
const chosen = (name) => {
  const one = document.querySelector(`input[name="${name}"]:checked`);
  return one ? one.value : document.querySelector(`[data-${name}]`).dataset[name];
};
const draw = async () => {
  document.documentElement.dataset.charts = "drawing";
  const name = `${chosen("cost")}-${chosen("judge")}`;
  document.querySelectorAll("[data-front]").forEach((words) => {
    words.hidden = words.dataset.front !== name;
  });
  const spec = document.querySelector(`script[data-spec="${name}"]`);
  const { view } = await vegaEmbed(place, JSON.parse(spec.textContent), options);
  view.addEventListener("click", (_, item) => {
    if (item && item.datum && item.datum.id) location.hash = item.datum.id;
  });
  document.documentElement.dataset.charts = "drawn";
};
document.querySelectorAll("input[name=cost], input[name=judge]").forEach((input) => {
  input.addEventListener("change", draw);
});
addEventListener("hashchange", () => open(location.hash.slice(1)));
// The same link twice: the hash does not change, and the design may have been closed.
document.querySelectorAll('a[href^="#design-"]').forEach((link) => {
  link.addEventListener("click", () => open(link.hash.slice(1)));
});
if (place) draw();
else document.documentElement.dataset.charts = "drawn";
open(location.hash.slice(1));
