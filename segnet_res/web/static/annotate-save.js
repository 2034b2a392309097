// Right column of the Annotate tab: part, name and the buttons that save; and who was faster.

import { el, icon } from "./dom.js";
import { field } from "./annotate-dataset.js";
import { clock } from "./annotate-drafts.js";
import { grouped } from "./legend.js";
import { t } from "./texts.js";

export class SavePanel {
  // onSave(state, overwrite), onDownload(), onTheirs(), onWho(name)
  constructor({ onSave, onDownload, onTheirs, onWho }) {
    Object.assign(this, { onSave, onTheirs });
    this.part = el("input", {
      id: "sr-annotate-part", type: "text", maxlength: "100", autocomplete: "off",
      title: t("annotate.partHelp"), "aria-describedby": "sr-annotate-part-help",
    });
    this.who = el("input", {
      id: "sr-annotate-who", type: "text", maxlength: "100", autocomplete: "name",
      title: t("annotate.whoHelp"), oninput: () => onWho(this.who.value.trim()),
    });
    this.whoField = field(t("annotate.who"), this.who);
    const button = (key, state, classes, sign, help = null) => el("button", {
      type: "button", class: classes, title: help, "aria-describedby": "sr-annotate-why",
      onclick: () => onSave(state, false),
    }, icon(sign), el("span", { text: t(`annotate.${key}`) }));
    this.buttons = [
      button("saveDone", "done", "sr-primary", "tick"),
      button("saveReview", "to review", "sr-tool", "bang"),
      button("saveReject", "rejected", "sr-tool", "cross", t("annotate.rejectHelp")),
    ];
    this.download = el("button", {
      type: "button", class: "sr-tool sr-annotate-download", "aria-label": t("annotate.download"),
      title: t("annotate.download"), onclick: onDownload,
    }, icon("download"));
    this.why = el("p", { class: "sr-note", id: "sr-annotate-why" });
    this.hint = el("p", { class: "sr-note" });
    this.said = el("p", { class: "sr-annotate-said", role: "status", hidden: true });
    this.clash = el("div", { class: "sr-annotate-conflict", role: "alert", hidden: true });
    this.partField = field(t("annotate.part"), this.part);
    this.partField.append(
      el("span", { class: "sr-aloud", id: "sr-annotate-part-help", text: t("annotate.partHelp") }));
    this.node = el("div", { class: "sr-annotate-save" }, this.said, this.clash,
      el("div", { class: "sr-annotate-buttons" }, ...this.buttons, this.download), this.why, this.hint);
    this.allow({ open: false, dataset: "", who: "" });
  }

  // Who has logged in needs no field.
  setUser(user, who) {
    this.whoField.hidden = user !== null;
    this.who.value = user ?? who;
  }

  // What is still missing before somebody can save.
  allow({ open, dataset, who, busy = false, fits = true }) {
    const missing = !open ? "" : !dataset ? t("annotate.needDataset")
      : !fits ? t("annotate.needOpening", { dataset }) : !who ? t("annotate.needWho") : "";
    this.why.textContent = missing;
    for (const button of this.buttons) button.disabled = busy || !open || Boolean(missing);
    this.download.disabled = !open;
    this.part.disabled = !open;
  }

  // The server's answer about what is open; null: nothing is.
  show(reply, { keepPart }) {
    if (!keepPart) this.part.value = "";
    this.part.placeholder = reply?.saved?.part ?? "";
    this.clash.hidden = true;
  }

  tell(changed) {
    this.hint.textContent = t("annotate.changed", { pixels: grouped(changed) });
  }

  say(text) {
    this.said.textContent = text;
    this.said.hidden = !text;
  }

  // Somebody else has saved the picture meanwhile.
  conflict({ who, when }, state) {
    const text = who ? t("annotate.conflict", { who, when: clock(when) }) : t("annotate.conflictUnsigned");
    const theirs = el("button", {
      type: "button", class: "sr-tool", text: t("annotate.theirs"), onclick: () => this.onTheirs(),
    });
    this.clash.replaceChildren(el("p", { text }), el("div", { class: "sr-annotate-buttons" }, theirs,
      el("button", {
        type: "button", class: "sr-tool", text: t("annotate.replace"),
        onclick: () => this.onSave(state, true),
      })));
    this.clash.hidden = false;
    theirs.focus();
  }
}
