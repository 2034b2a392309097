// The table of classes: what is carried over, what is new, and what somebody renames or drops.

import { el, swatch } from "./dom.js";
import { t } from "./texts.js";

// Somebody who writes a name is not asked about each letter.
const WAIT_MS = 500;

export class ClassTable {
  // onChange() is called when something else is chosen.
  constructor({ onChange }) {
    this.onChange = onChange;
    this.changes = new Map(); // by the parent's name of a class: {kind, name}
    this.rows = [];
    this.body = el("tbody");
    this.wait = el("p", { class: "sr-note", text: t("train.classWait") });
    this.error = el("p", { class: "sr-train-wrong", role: "alert" });
    this.table = el("table", { class: "sr-train-classes", hidden: true },
      el("caption", {}, el("span", { class: "sr-aloud", text: t("train.classTable") })),
      el("thead", {}, el("tr", {}, ...["classOld", "classBecomes", "classMasks"].map((key) =>
        el("th", { scope: "col", text: t(`train.${key}`) })))),
      this.body);
    this.node = el("div", {}, this.wait, this.table, this.error);
  }

  get renamed() {
    return this.#chosen("rename", ({ name }) => name.trim());
  }

  get dropped() {
    const counted = this.#chosen("count", ({ name }) => name);
    return { ...this.#chosen("drop", () => null), ...counted };
  }

  // Whether all that is shown is what the server said to the last question.
  get good() {
    return this.rows.length > 0 && !this.error.textContent && !this.timer;
  }

  // Another parent has other classes; those of the same name keep what was chosen for them.
  forget(known) {
    for (const old of [...this.changes.keys()]) if (!known.includes(old)) this.changes.delete(old);
  }

  show(rows) {
    this.rows = rows;
    this.error.textContent = "";
    this.wait.hidden = true;
    this.table.hidden = false;
    const focused = document.activeElement;
    const kept = this.body.contains(focused) ? focused.dataset.key : null;
    const selection = kept && focused.matches("input")
      ? [focused.value, focused.selectionStart, focused.selectionEnd] : null;
    this.body.replaceChildren(...rows.map((row) => this.#row(row)));
    const again = kept && [...this.body.querySelectorAll("[data-key]")].find((node) => node.dataset.key === kept);
    if (!again) return;
    again.focus({ preventScroll: true });
    if (selection && again.matches("input")) {
      // What was written while the answer came.
      again.value = selection[0];
      again.setSelectionRange(selection[1], selection[2]);
    }
  }

  fail(sentence) {
    this.error.textContent = sentence;
    this.wait.hidden = true;
  }

  clear() {
    this.rows = [];
    this.table.hidden = true;
    this.wait.hidden = false;
    this.error.textContent = "";
  }

  #chosen(kind, value) {
    const found = [...this.changes].filter(([, change]) => change.kind === kind && value(change) !== "");
    return Object.fromEntries(found.map(([old, change]) => [old, value(change)]));
  }

  #row(row) {
    const masks = row.new_data && row.old_data ? "dataBoth"
      : row.new_data ? "dataNew" : row.old_data ? "dataOld" : "dataNone";
    const lost = masks === "dataNone" && row.kind !== "dropped";
    return el("tr", { "data-kind": row.kind, "data-class": row.old ?? row.name },
      el("th", { scope: "row" }, el("span", { class: "sr-class-name" }, swatch(row.color),
        el("span", { class: "sr-name", text: row.old ?? row.name, title: row.old ?? row.name }))),
      el("td", {}, el("div", { class: "sr-train-becomes" },
        ...(row.old === null ? [el("strong", { text: t("train.added") })] : this.#choice(row)))),
      el("td", { class: lost ? "sr-train-lost" : null, text: row.kind === "dropped" ? "" : t(`train.${masks}`) }));
  }

  #choice(row) {
    const { old } = row;
    const change = this.changes.get(old) ?? { kind: "keep", name: "" };
    const others = this.rows.map((one) => one.name).filter((name) => name !== null && name !== row.name);
    if (change.kind === "count" && !others.includes(change.name)) others.push(change.name);
    const select = el("select", {
      "aria-label": t("train.classWhat", { name: old }), "data-key": `what ${old}`,
      onchange: () => {
        const [kind, at] = select.value.split(" ");
        this.changes.set(old, { kind, name: kind === "count" ? others[Number(at)] : kind === "rename" ? old : "" });
        this.#changed(0);
        // The name can be written at once.
        if (kind === "rename") this.#redraw(old);
      },
    }, option("keep", t("train.keep")), option("rename", t("train.rename")),
    ...(row.fixed ? [] : [
      option("drop", t("train.drop")),
      ...others.map((name, i) => option(`count ${i}`, t("train.countsAs", { name }))),
    ]));
    select.value = change.kind === "count" ? `count ${others.indexOf(change.name)}` : change.kind;
    if (change.kind !== "rename") return [select];
    const name = el("input", {
      type: "text", maxlength: "100", "aria-label": t("train.classNewName", { name: old }),
      "data-key": `name ${old}`,
      oninput: () => {
        this.changes.set(old, { kind: "rename", name: name.value });
        this.#changed(WAIT_MS);
      },
    });
    name.value = change.name;
    return [select, name];
  }

  #redraw(old) {
    this.show(this.rows);
    const input = [...this.body.querySelectorAll("input")].find((node) => node.dataset.key === `name ${old}`);
    input?.focus();
    input?.select();
  }

  #changed(wait) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = null;
      this.onChange();
    }, wait);
  }
}

function option(value, text) {
  return el("option", { value, text });
}
