// Draw every chart in its place.  The page says when it is done: <html data-charts="drawn">.
const places = [...document.querySelectorAll("script[data-chart]")];
const options = {
  mode: "vega-lite",
  renderer: "svg",
  actions: false,
  defaultStyle: false,
  ast: true, // expressions are interpreted, never compiled: no eval
  tooltip: { disableDefaultStyle: true },
};
Promise.all(
  places.map((place) =>
    vegaEmbed(document.getElementById(place.dataset.chart), JSON.parse(place.textContent), options)
  )
).then(() => {
  // A chart is one picture with one name; its marks are no pictures of their own.
  document.querySelectorAll(".chart svg").forEach((svg) => svg.setAttribute("aria-hidden", "true"));
  // A point of a layer is brushed with it; Vega keeps what a mark stands for beside its element.
  document.querySelectorAll(".chart .mark-symbol path").forEach((point) => {
    const name = point.__data__?.datum?.block;
    if (name !== undefined) point.dataset.block = name;
  });
  document.documentElement.dataset.charts = "drawn";
});
