// What the linter says of the design, each with its place and, where there is one, its fix.

import {el} from "./dom.js";

export function findings({mend, goto}) {
  const node = el("div", {"aria-live": "polite"});

  function one(finding) {
    const note = el("p.refused", {hidden: true});
    const button = finding.mendable && el("button.mend", {
      onclick: async () => {
        button.disabled = true;
        const refused = await mend(finding);
        button.disabled = false;
        note.hidden = refused === null;
        note.textContent = refused ?? "";
      },
      title: finding.safe ? "What the network can compute stays as it was" : "This changes what the network can compute",
    }, finding.safe ? "Fix" : "Fix, though it changes the network");
    return el(`li.${finding.severity}`, {"data-code": finding.code},
      el("p.head", {},
        el("b", {}, finding.code), " ", finding.name.replaceAll("-", " "), " ",
        el("span.severity", {}, finding.severity),
        el("button.place", {onclick: () => goto(finding.line), title: `line ${finding.line} of the TOML`},
          finding.path || "the network")),
      el("p.message", {}, finding.message, finding.fix ? ` ${sentence(finding.fix)}` : ""),
      button, note);
  }

  return {
    node,
    show(all) {
      const rank = {error: 0, warning: 1, info: 2};
      const sorted = [...all].sort((a, b) => rank[a.severity] - rank[b.severity]);
      node.replaceChildren(all.length
        ? el("ul.findings", {}, sorted.map(one))
        : el("p.calm", {}, "Nothing to say against this design."));
    },
  };
}

const sentence = text => text[0].toUpperCase() + text.slice(1);
