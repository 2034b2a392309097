// Promoting: under which name, who wants it and why, and why missed defects are accepted.

import { el, icon, recall, remember } from "./dom.js";
import { field } from "./promote-choice.js";
import { t } from "./texts.js";

// The name that somebody has given in any tab.
const WHO_KEY = "segnet-res:who";

export class PromoteForm {
  // onPromote({name, by, why, accept}) resolves with {promoted, before}; rejects with a sentence.
  constructor({ onPromote }) {
    this.onPromote = onPromote;
    this.report = null;
    const update = () => this.#update();
    const text = (id, attributes) => el("input", { type: "text", id, maxlength: 100, oninput: update, ...attributes });
    const area = (id) => el("textarea", { id, rows: 2, maxlength: 2000, oninput: update });
    this.heading = el("h3", { text: t("promote.promoteTitle"), tabindex: "-1" });
    this.about = el("p");
    this.missed = el("p", { class: "sr-promote-missed", id: "sr-promote-missed" });
    this.accept = el("input", { type: "checkbox", id: "sr-promote-accept", "aria-describedby": "sr-promote-missed", onchange: update });
    this.acceptWhy = area("sr-promote-accept-why");
    this.acceptField = field("sr-promote-accept-why", t("promote.acceptWhy"), this.acceptWhy);
    this.misses = el("div", { class: "sr-promote-misses" }, this.missed,
      el("label", { class: "sr-promote-check", for: "sr-promote-accept" }, this.accept, t("promote.accept")), this.acceptField);
    this.name = text("sr-promote-name", { autocomplete: "off", spellcheck: "false" });
    this.nameNote = el("p", { class: "sr-note", text: t("promote.fixedName") });
    this.by = text("sr-promote-by", { autocomplete: "name" });
    this.byField = field("sr-promote-by", t("promote.who"), this.by);
    this.user = el("p", { class: "sr-note" });
    this.why = area("sr-promote-reason");
    this.alert = el("div", { class: "sr-alert", role: "alert", hidden: true });
    this.done = el("p", { class: "sr-done", role: "status", hidden: true });
    this.button = el("button", { type: "submit", class: "sr-primary", "aria-describedby": "sr-promote-needed" });
    this.needed = el("p", { class: "sr-note", id: "sr-promote-needed" });
    this.fields = el("fieldset", {}, this.misses,
      el("div", { class: "sr-promote-row" },
        el("div", {}, field("sr-promote-name", t("promote.name"), this.name), this.nameNote),
        el("div", {}, this.byField, this.user)),
      field("sr-promote-reason", t("promote.why"), this.why),
      el("div", { class: "sr-promote-end" }, this.button, this.needed));
    this.node = el("form", {
      class: "sr-promote-form", "aria-label": t("promote.promoteTitle"), hidden: true,
      onsubmit: (event) => {
        event.preventDefault();
        this.#promote();
      },
    }, this.heading, this.about, this.fields, this.alert, this.done);
  }

  // report: the server's about a comparison that came to its end; null: nothing can be promoted
  show(report) {
    this.report = report;
    this.node.hidden = report === null;
    this.done.hidden = true;
    this.#fail(null);
    if (report === null) return;
    const { title, serving, comparison, user } = report;
    const count = comparison?.flips.newly_missed.total ?? 0;
    this.about.textContent = t(serving ? "promote.instead" : "promote.first", { title, serving });
    this.missed.replaceChildren(icon("bang"), el("span", {
      text: count === 1 ? t("promote.missedOne") : t("promote.missedMany", { count }),
    }));
    this.misses.hidden = count === 0;
    this.accept.checked = false;
    this.acceptWhy.value = this.why.value = "";
    this.name.value = report.name;
    this.name.readOnly = report.fixed_name;
    this.nameNote.hidden = !report.fixed_name;
    this.by.value = recall("localStorage", WHO_KEY) ?? "";
    this.byField.hidden = Boolean(user);
    this.user.textContent = user ? t("promote.asUser", { user }) : "";
    this.fields.disabled = false;
    this.fields.hidden = false;
    this.#update();
  }

  #update() {
    const missing = this.#missing();
    this.acceptField.hidden = !this.accept.checked;
    this.button.textContent = t("promote.promote", { name: this.name.value.trim() });
    this.button.disabled = missing !== null;
    this.needed.textContent = missing ? t(`promote.${missing}`) : "";
  }

  // What must be filled in before, or null.
  #missing() {
    const empty = (input) => input.value.trim() === "";
    if (!this.misses.hidden && !this.accept.checked) return "needAccept";
    if (!this.misses.hidden && empty(this.acceptWhy)) return "needAcceptWhy";
    if (empty(this.name)) return "needName";
    if (!this.byField.hidden && empty(this.by)) return "needWho";
    return empty(this.why) ? "needWhy" : null;
  }

  async #promote() {
    const { report } = this;
    const words = { name: this.name.value, by: this.by.value, why: this.why.value };
    if (!this.misses.hidden) words.accept = this.acceptWhy.value;
    if (!this.byField.hidden) remember("localStorage", WHO_KEY, words.by.trim());
    this.fields.disabled = true;
    this.#fail(null);
    this.needed.textContent = t("promote.promoting", { name: words.name });
    try {
      const { promoted: name, before } = await this.onPromote(words);
      if (report !== this.report) return;
      this.fields.hidden = true;
      this.about.textContent = "";
      this.done.textContent = t(before ? "promote.promotedInstead" : "promote.promoted", { name, before });
      this.done.hidden = false;
      this.heading.focus({ preventScroll: true });
      this.node.dataset.promoted = name;
    } catch (error) {
      if (report !== this.report) return;
      this.#fail(error.message);
      this.fields.disabled = false;
      this.#update();
    }
  }

  #fail(sentence) {
    this.alert.textContent = sentence ?? "";
    this.alert.hidden = !sentence;
  }
}
