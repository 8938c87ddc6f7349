// The TOML as text: numbered lines, marks where something is to be mended, completion.

import {el} from "./dom.js";
import {reader} from "./schema.js";

const MOST = 12;

export function editor({changed}) {
  let known = null, offers = [], at = 0;
  const area = el("textarea.toml", {
    spellcheck: false, autocomplete: "off", wrap: "off", rows: 24, "aria-label": "Architecture as TOML",
    "aria-autocomplete": "list", "aria-controls": "offers", "aria-describedby": "editor-help",
  });
  area.setAttribute("autocapitalize", "off");
  const gutter = el("pre.gutter", {"aria-hidden": "true"});
  const list = el("ul.offers", {id: "offers", role: "listbox", "aria-label": "Completions", hidden: true});
  const node = el("div.editor", {}, gutter, area, list,
    el("p.small", {id: "editor-help"}, "Ctrl+Space completes. Findings are marked beside their lines."));
  let marks = new Map();

  function number() {
    const lines = area.value.split("\n").length;
    gutter.replaceChildren(...Array.from({length: lines}, (_, index) =>
      el(marks.has(index + 1) ? `span.${marks.get(index + 1)}` : "span", {}, `${index + 1}\n`)));
    gutter.scrollTop = area.scrollTop;
  }

  // Where the caret is: the table it stands in, the key before a sign, the word being written.
  function place() {
    const before = area.value.slice(0, area.selectionStart), lines = before.split("\n"), line = lines.at(-1);
    let part = null;
    for (const one of lines.slice(0, -1)) {
      const table = /^\s*\[{1,2}\s*([a-z]+)/.exec(one);
      if (table) part = table[1];
    }
    if (/^\s*\[/.test(line)) return null;
    const inline = /pool\s*=\s*\{([^}]*)$/.exec(line);
    const piece = inline ? inline[1].split(",").at(-1) : line;
    const value = /^\s*([a-z_]+)\s*=\s*"?([\w]*)$/.exec(piece);
    const word = /([a-z_]*)$/.exec(piece)[1];
    return {part: inline ? "pool" : part, key: value?.[1] ?? null, word: value ? value[2] : word, text: lines, quoted: /"\w*$/.test(piece), fresh: /^\s*[a-z_]*$/.test(piece)};
  }

  function used(here) {
    const keys = new Set(), all = area.value.split("\n"), now = here.text.length - 1;
    for (let row = now - 1; row >= 0 && !/^\s*\[/.test(all[row]); row--) keys.add(/^\s*([a-z_]+)\s*=/.exec(all[row])?.[1]);
    for (let row = now + 1; row < all.length && !/^\s*\[/.test(all[row]); row++) keys.add(/^\s*([a-z_]+)\s*=/.exec(all[row])?.[1]);
    return keys;
  }

  function found(here) {
    if (here === null || known === null || (here.part !== null && !(here.part in known.parts))) return [];
    if (here.key !== null) {
      const kind = known.of(here.part, here.key);
      if (kind === null) return [];
      const values = kind.flag ? ["true", "false"] : kind.values.map(value => here.quoted ? value : JSON.stringify(value));
      return values.filter(value => value.replaceAll('"', "").startsWith(here.word) && value !== here.word)
        .map(value => ({word: value, text: kind.text}));
    }
    if (!here.fresh) return [];
    const taken = here.part === "pool" ? new Set() : used(here);
    return known.keys(here.part).filter(key => key.startsWith(here.word) && key !== here.word && !taken.has(key))
      .map(key => ({word: key, text: known.of(here.part, key).text, more: key in known.parts ? "" : " = "}));
  }

  function offer({wanted = false} = {}) {
    const here = place();
    offers = here && (wanted || here.word) ? found(here).slice(0, MOST) : [];
    at = 0;
    draw(here);
  }

  function draw(here) {
    list.hidden = offers.length === 0;
    if (list.hidden) { area.removeAttribute("aria-activedescendant"); return; }
    list.replaceChildren(...offers.map((one, index) => el("li", {
      id: `offer-${index}`, role: "option", "aria-selected": index === at,
      onmousedown: event => { event.preventDefault(); at = index; take(); },
    }, el("b", {}, one.word), el("span", {}, one.text.split(/(?<=[.:;])\s/)[0]))));
    area.setAttribute("aria-activedescendant", `offer-${at}`);
    list.children[at].scrollIntoView({block: "nearest"});
    if (here) {
      const style = getComputedStyle(area), high = parseFloat(style.lineHeight);
      const wide = parseFloat(style.fontSize) * 0.602;
      const column = here.text.at(-1).length - here.word.length;
      list.style.top = `${parseFloat(style.paddingTop) + here.text.length * high - area.scrollTop + 2}px`;
      list.style.left = `${Math.max(0, Math.min(area.offsetLeft + parseFloat(style.paddingLeft) + column * wide - area.scrollLeft, node.clientWidth - 260))}px`;
    }
  }

  function take() {
    const here = place(), one = offers[at];
    offers = [];
    draw(null);
    const end = area.selectionStart;
    area.setRangeText(one.word + (one.more ?? ""), end - here.word.length, end, "end");
    written();
  }

  function written() {
    number();
    changed(area.value);
  }

  area.addEventListener("input", () => { written(); offer(); });
  area.addEventListener("scroll", () => { gutter.scrollTop = area.scrollTop; });
  area.addEventListener("blur", () => { offers = []; draw(null); });
  area.addEventListener("keydown", event => {
    if (event.key === " " && event.ctrlKey) { event.preventDefault(); offer({wanted: true}); return; }
    if (offers.length === 0) return;
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (step) { event.preventDefault(); at = (at + step + offers.length) % offers.length; draw(null); }
    else if (event.key === "Enter" || event.key === "Tab") { event.preventDefault(); take(); }
    else if (event.key === "Escape") { event.preventDefault(); offers = []; draw(null); }
  });

  return {
    node,
    learn(schema) { known = reader(schema); },
    set(text) {
      if (area.value === text) return;
      const caret = Math.min(area.selectionStart, text.length);
      area.value = text;
      area.setSelectionRange(caret, caret);
      marks = new Map();
      number();
    },
    mark(findings) {
      const rank = {info: 0, warning: 1, error: 2};
      const now = new Map();
      for (const one of findings)
        if (!now.has(one.line) || rank[one.severity] > rank[now.get(one.line)]) now.set(one.line, one.severity);
      const same = now.size === marks.size && [...now].every(([line, how]) => marks.get(line) === how);
      marks = now;
      if (!same) number();
    },
    goto(line) {
      const lines = area.value.split("\n"), start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
      area.focus();
      area.setSelectionRange(start, start + lines[line - 1].length);
      area.scrollTop = Math.max(0, (line - 4) * parseFloat(getComputedStyle(area).lineHeight));
    },
  };
}
