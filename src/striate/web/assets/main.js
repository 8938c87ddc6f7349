// The three tabs.  Each is made when it is first opened.

import {get} from "./ask.js";
import {el} from "./dom.js";
import {design} from "./design.js";
import {look} from "./look.js";
import {runs} from "./runs.js";

const MAKERS = {design, look, runs};
const names = Object.keys(MAKERS);
const made = {};
const tabs = Object.fromEntries(names.map(name => [name, document.getElementById(`tab-${name}`)]));
const panels = Object.fromEntries(names.map(name => [name, document.getElementById(name)]));
const state = document.getElementById("state");

let start = null;

function open(name, {focus = false} = {}) {
  for (const other of names) {
    const chosen = other === name;
    tabs[other].setAttribute("aria-selected", chosen);
    tabs[other].tabIndex = chosen ? 0 : -1;
    panels[other].hidden = !chosen;
    if (!chosen) made[other]?.left?.();
  }
  if (focus) tabs[name].focus();
  if (!made[name]) made[name] = MAKERS[name](panels[name], start, {say, open});
  made[name]?.opened?.();
  if (location.hash.slice(1) !== name) history.replaceState(null, "", `#${name}`);
}

// One line at the top, for what every tab may have to say.
function say(text) {
  state.textContent = text;
}

for (const [index, name] of names.entries()) {
  tabs[name].addEventListener("click", () => open(name));
  tabs[name].addEventListener("keydown", event => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    const to = event.key === "Home" ? 0 : event.key === "End" ? names.length - 1
      : step && (index + step + names.length) % names.length;
    if (to === undefined) return;
    event.preventDefault();
    open(names[to], {focus: true});
  });
}
addEventListener("hashchange", () => { if (start && names.includes(location.hash.slice(1))) open(location.hash.slice(1)); });

try {
  start = await get("/api/start");
  document.querySelector(".mark").title = `striate ${start.version}`;
  if (start.run) document.title = `${start.run.name} – striate`;
  const asked = location.hash.slice(1);
  open(names.includes(asked) ? asked : "design");
  document.documentElement.dataset.ready = "";
} catch (error) {
  document.querySelector("main").append(el("p.lone.wrong", {}, error.message));
}
