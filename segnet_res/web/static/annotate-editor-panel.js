// The buttons of the tools, the width of the brush, undo and redo, and a line that tells how to use
// the tool.

import { TOOL_KEYS } from "./annotate-editor-input.js";
import { el, icon } from "./dom.js";
import { t } from "./texts.js";

const SIGNS = {
  brush: "brush", eraser: "eraser", polygon: "polygon", fill: "fill", accept: "accept",
  delete: "delete", hand: "hand",
};

export class Panel {
  // act: {tool(id), size(pixels), undo(), redo(), focus()}
  constructor(act, largest) {
    this.act = act;
    this.buttons = Object.fromEntries(Object.keys(SIGNS).map((id) => [id, this.#tool(id)]));
    this.tools = el("div", { class: "sr-edit-tools", role: "group", "aria-label": t("editor.tools") },
      ...Object.values(this.buttons));
    this.slider = el("input", {
      type: "range", min: 1, max: largest, "aria-label": t("editor.size"), title: t("editor.sizeTitle"),
      oninput: () => act.size(Number(this.slider.value)),
    });
    this.number = el("output");
    this.undo = this.#step("undo");
    this.redo = this.#step("redo");
    this.options = el("div", { class: "sr-edit-options" }, this.undo, this.redo,
      el("label", { class: "sr-brush-size" }, el("span", { text: t("editor.size") }), this.slider, this.number));
    this.status = el("p", { class: "sr-edit-status", role: "status" });
    this.showSize(12);
  }

  choose(id) {
    this.chosen = id;
    for (const [name, button] of Object.entries(this.buttons)) {
      button.setAttribute("aria-pressed", String(name === id));
    }
    this.hint();
  }

  // How to use the tool that is chosen.
  hint() {
    this.say(t(`editor.hint-${this.chosen}`));
  }

  say(text) {
    // Read out only when it is another.
    if (this.status.textContent !== text) this.status.textContent = text;
  }

  showSize(size) {
    if (this.slider.value !== String(size)) this.slider.value = size;
    this.number.textContent = t("editor.pixels", { number: size });
  }

  allow({ undo, redo, tool }) {
    this.#enable(this.undo, undo);
    this.#enable(this.redo, redo);
    for (const [id, button] of Object.entries(this.buttons)) button.disabled = !tool(id);
  }

  // Who has pressed the last step back by keyboard should not be thrown out of the buttons.
  #enable(button, enabled) {
    button.setAttribute("aria-disabled", String(!enabled));
  }

  #tool(id) {
    const key = TOOL_KEYS[id].toUpperCase();
    return el("button", {
      type: "button", class: "sr-edit-tool", "data-tool": id, "aria-pressed": "false",
      "aria-keyshortcuts": key, title: t("viewer.withKey", { text: t(`editor.about-${id}`), key }),
      onclick: (event) => this.#clicked(event, () => this.act.tool(id)),
    }, icon(SIGNS[id]), el("span", { text: t(`editor.${id}`) }));
  }

  #step(name) {
    return el("button", {
      type: "button", class: "sr-tool", "aria-label": t(`editor.${name}`), title: t(`editor.${name}Title`),
      onclick: (event) => this.#clicked(event, this.act[name]),
    }, icon(name));
  }

  // After a click of the mouse Space should pan, and not press the button again.
  #clicked(event, act) {
    act();
    if (event.detail > 0) this.act.focus();
  }
}
