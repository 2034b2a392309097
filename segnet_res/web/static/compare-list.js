// The pictures to compare: added by hand or from a dataset, stepped through, or all in one go.

import { el, icon, percent } from "./dom.js";
import { t } from "./texts.js";

export class PictureList {
  // onChoose(entry), onRun(), onStop(), onClear(), onRemove(entry)
  constructor(act) {
    this.act = act;
    this.entries = [];
    this.current = null;
    this.items = new Map();
    this.list = el("ol", { class: "sr-compare-list", onkeydown: (event) => this.#pressed(event) });
    this.count = el("h2", {});
    this.run = el("button", { type: "button", class: "sr-tool", onclick: () => this.#runOrStop() });
    const clear = el("button", {
      type: "button", class: "sr-tool", text: t("compare.removeAll"), onclick: act.onClear,
    });
    this.sorted = el("input", { type: "checkbox", onchange: () => this.#sort() });
    const order = el("label", { class: "sr-class sr-compare-order" }, this.sorted,
      el("span", { text: t("compare.mostDifferent") }));
    this.node = el("section", { class: "sr-compare-pictures", "aria-label": t("compare.list"), hidden: true },
      this.count, this.list, order, el("div", { class: "sr-compare-buttons" }, this.run, clear));
    this.setRunning(false);
  }

  // An entry is an object with `name`; its state is told by `update`.
  add(entries) {
    for (const entry of entries) {
      const state = el("span", { class: "sr-compare-state" });
      const button = el("button", {
        type: "button", class: "sr-compare-picture", tabindex: "-1", onclick: () => this.act.onChoose(entry),
      }, el("span", { class: "sr-name", text: entry.name }), state);
      const label = `${t("compare.remove")}: ${entry.name}`;
      const remove = el("button", {
        type: "button", class: "sr-remove", title: label, "aria-label": label, tabindex: "-1",
        onclick: () => this.act.onRemove(entry),
      }, icon("cross"));
      const node = el("li", {}, button, remove);
      this.items.set(entry, { node, button, state, remove });
      this.list.append(node);
      this.entries.push(entry);
      this.update(entry);
    }
    this.#counted();
  }

  remove(entry) {
    this.items.get(entry)?.node.remove();
    this.items.delete(entry);
    this.entries = this.entries.filter((other) => other !== entry);
    this.#counted();
  }

  clear() {
    this.entries = [];
    this.items.clear();
    this.list.replaceChildren();
    this.current = null;
    this.#counted();
  }

  select(entry) {
    this.current = entry;
    for (const [other, { button, remove, node }] of this.items) {
      const chosen = other === entry;
      if (chosen) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      // One stop of the Tab key for the whole list.
      button.tabIndex = remove.tabIndex = chosen ? 0 : -1;
      if (chosen) node.scrollIntoView({ block: "nearest" });
    }
  }

  // Show what became of a picture: entry.share of it differs, or entry.error.
  update(entry) {
    const item = this.items.get(entry);
    if (!item) return;
    const { share = null, error = null } = entry;
    item.state.textContent = share === null ? "" : percent(share);
    if (error) item.state.replaceChildren(icon("bang"));
    const words = error ? t("compare.stateFailed", { sentence: error })
      : share === null ? t("compare.stateWaiting") : t("compare.stateDone", { share: percent(share) });
    item.button.title = `${entry.name}: ${words}`;
    item.node.classList.toggle("sr-failed", Boolean(error));
    if (this.sorted.checked) this.#place(entry);
  }

  // The entry before or after the current one in the order that is shown, or undefined.
  neighbour(direction) {
    const shown = this.shown();
    return shown[shown.indexOf(this.current) + direction];
  }

  shown() {
    const order = [...this.list.children];
    const entryOf = new Map([...this.items].map(([entry, { node }]) => [node, entry]));
    return order.map((node) => entryOf.get(node));
  }

  setRunning(running) {
    this.running = running;
    this.run.textContent = t(running ? "compare.stop" : "compare.compareAll");
  }

  #runOrStop() {
    if (this.running) this.act.onStop();
    else this.act.onRun();
  }

  #counted() {
    const count = this.entries.length;
    this.node.hidden = count === 0;
    this.count.textContent = t(count === 1 ? "compare.countOne" : "compare.count", { count });
    this.run.disabled = count < 2;
  }

  #sort() {
    const order = this.sorted.checked
      ? [...this.entries].sort((a, b) => (b.share ?? -1) - (a.share ?? -1))
      : this.entries;
    this.list.append(...order.map((entry) => this.items.get(entry).node));
  }

  // Put one entry where it belongs: sorting thousands for each result would be slow.
  #place(entry) {
    const { node } = this.items.get(entry);
    const share = entry.share ?? -1;
    const behind = this.shown().find((other) => other !== entry && (other.share ?? -1) < share);
    this.list.insertBefore(node, behind ? this.items.get(behind).node : null);
  }

  #pressed(event) {
    const shown = this.shown();
    const goal = {
      ArrowUp: () => this.neighbour(-1), ArrowDown: () => this.neighbour(1),
      Home: () => shown[0], End: () => shown.at(-1),
    }[event.key]?.();
    if (event.key === "Delete" && this.current) this.act.onRemove(this.current);
    else if (goal) this.act.onChoose(goal);
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.items.get(this.current)?.button.focus();
  }
}
