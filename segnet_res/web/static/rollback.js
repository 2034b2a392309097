// Asks for a reason before an earlier checkpoint serves again.

import { el, recall, remember } from "./dom.js";
import { t } from "./texts.js";

// The name that somebody has given in any tab.
const WHO_KEY = "segnet-res:who";

export class RollbackDialog {
  // onConfirm({by, why, now}) resolves when it is done; rejects with a sentence.
  constructor({ onConfirm }) {
    this.onConfirm = onConfirm;
    this.title = el("h2");
    this.text = el("p");
    this.why = el("textarea", { id: "sr-back-why", rows: 2, maxlength: 2000, required: true });
    this.by = el("input", { id: "sr-back-by", type: "text", maxlength: 100, autocomplete: "name", required: true });
    this.whoField = field("sr-back-by", t("registry.who"), this.by);
    this.alert = el("div", { class: "sr-alert", role: "alert", hidden: true });
    this.confirm = el("button", { type: "submit", class: "sr-primary" });
    const cancel = el("button", {
      type: "button", class: "sr-tool", text: t("registry.cancel"), onclick: () => this.node.close(),
    });
    const form = el("form", {
      onsubmit: (event) => {
        event.preventDefault();
        this.#confirmed();
      },
    }, field("sr-back-why", t("registry.reason"), this.why), this.whoField, this.alert,
    el("div", { class: "sr-dialog-buttons" }, this.confirm, cancel));
    this.node = el("dialog", { class: "sr-dialog", "aria-labelledby": "sr-back-title" }, this.title, this.text, form);
    this.title.id = "sr-back-title";
  }

  // now, back: the checkpoints that serve and would serve; user: who is logged in, or null
  open({ now, back, user }) {
    const [name, before] = [back.checkpoint, now.checkpoint];
    this.now = now;
    this.title.textContent = t("registry.backTitle", { name });
    this.text.textContent = t("registry.backText", { name, now: before });
    this.confirm.textContent = t("registry.backButton", { name });
    this.why.value = "";
    this.by.value = user ?? recall("localStorage", WHO_KEY) ?? "";
    this.whoField.hidden = Boolean(user);
    this.#fail(null);
    this.node.showModal();
    this.why.focus();
  }

  async #confirmed() {
    this.confirm.disabled = true;
    this.#fail(null);
    const by = this.by.value.trim();
    if (!this.whoField.hidden) remember("localStorage", WHO_KEY, by);
    try {
      await this.onConfirm({ by, why: this.why.value, now: this.now });
      this.node.close();
    } catch (error) {
      this.#fail(error.message);
    }
    this.confirm.disabled = false;
  }

  #fail(sentence) {
    this.alert.textContent = sentence ?? "";
    this.alert.hidden = !sentence;
  }
}

function field(id, text, input) {
  return el("div", { class: "sr-field" }, el("label", { for: id, text }), input);
}
