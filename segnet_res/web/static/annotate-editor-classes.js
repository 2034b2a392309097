// The classes that can be painted: colour, name, key, and how many pixels have them.

import { el, swatch } from "./dom.js";
import { grouped } from "./legend.js";
import { t } from "./texts.js";

const KEYS = 9;

export class ClassList {
  constructor({ onChoose, focus }) {
    Object.assign(this, { onChoose, focus });
    this.list = el("ul", { "aria-label": t("editor.classes") });
    this.node = el("div", {}, el("h2", { text: t("editor.classes") }), this.list);
    this.rows = new Map();
  }

  show(classes) {
    this.rows = new Map(classes.map((entry, i) => [entry.index, this.#row(entry, i)]));
    this.list.replaceChildren(...[...this.rows.values()].map(({ item }) => item));
  }

  clear() {
    this.show([]);
  }

  choose(index) {
    for (const [label, { button }] of this.rows) {
      button.setAttribute("aria-pressed", String(label === index));
    }
  }

  // pixels[label]
  count(pixels) {
    for (const [label, { number }] of this.rows) {
      number.textContent = t("editor.pixels", { number: grouped(pixels[label]) });
    }
  }

  #row(entry, i) {
    const key = keyOf(entry, i);
    const number = el("small");
    const color = swatch(entry.color);
    color.classList.toggle("sr-hatched", Boolean(entry.hatched));
    const button = el("button", {
      type: "button", class: "sr-paint-class", "data-class": entry.index, "aria-pressed": "false",
      "aria-keyshortcuts": key, title: key ? t("viewer.withKey", { text: entry.name, key }) : entry.name,
      onclick: (event) => {
        this.onChoose(entry.index);
        if (event.detail > 0) this.focus();
      },
    }, el("kbd", { text: key ?? "", "aria-hidden": "true" }), color,
    el("span", { class: "sr-name", text: entry.name }), number);
    return { item: el("li", {}, button), button, number };
  }
}

function keyOf(entry, i) {
  if (entry.hatched) return "0";
  return i < KEYS ? String(i + 1) : null;
}
