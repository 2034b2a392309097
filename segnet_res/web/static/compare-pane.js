// One side of the comparison: its checkpoint and its viewer.

import { el } from "./dom.js";
import { t } from "./texts.js";

export class Pane {
  // side: "A" or "B"; onChoose(before) with the name chosen before, onOpen() when the list is
  // opened, onInspect()
  constructor(side, viewer, { onChoose, onOpen, onInspect }) {
    const label = t(`compare.checkpoint${side}`);
    this.select = el("select", {
      "aria-label": label, onchange: () => {
        const before = this.chosen;
        this.chosen = this.name;
        onChoose(before);
      },
      onpointerdown: onOpen, onfocus: onOpen,
    });
    const inspect = el("button", {
      type: "button", class: "sr-tool", text: t("compare.inspect"), title: t("compare.inspectTitle"),
      onclick: onInspect,
    });
    this.node = el("section", { class: "sr-pane", "data-side": side, "aria-label": label },
      el("header", {}, el("span", { class: "sr-side", "aria-hidden": "true", text: t(`compare.side${side}`) }),
        this.select, inspect),
      viewer.node);
  }

  get name() {
    return this.select.value || null;
  }

  set name(name) {
    if (this.has(name)) this.select.value = name;
    this.chosen = this.name;
  }

  has(name) {
    return [...this.select.options].some((option) => option.value === name);
  }

  // The checkpoints that there are; `chosen` is taken where it is one of them.
  list(names, chosen) {
    const same = names.length === this.select.options.length && names.every((name) => this.has(name));
    // A list that is open would close if it were built again without need.
    if (!same) this.select.replaceChildren(...names.map((name) => el("option", { value: name, text: name })));
    this.select.disabled = names.length === 0;
    this.name = chosen;
  }
}
