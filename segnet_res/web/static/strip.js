// The film strip: pictures to step through, each with its state and verdict.

import { el, fileUrl, icon } from "./dom.js";
import { t } from "./texts.js";

const SIGNS = { pass: "tick", fail: "bang", neutral: "dash", failed: "cross" };

export class FilmStrip {
  // onSelect(entry), onRemove(entry), onClear(). An entry is any object with `name`.
  constructor({ onSelect, onRemove, onClear }) {
    Object.assign(this, { onSelect, onRemove });
    this.items = new Map();
    this.current = null;
    this.list = el("ol", { class: "sr-strip-list", onkeydown: (event) => this.#pressed(event) });
    this.count = el("span", { class: "sr-strip-count" });
    const clear = el("button", {
      type: "button", class: "sr-tool", text: t("inspect.removeAll"), onclick: onClear,
    });
    this.node = el("section", { class: "sr-strip", "aria-label": t("inspect.strip"), hidden: true },
      el("header", {}, this.count, clear), this.list);
  }

  add(entry) {
    const image = el("img", { alt: "", hidden: true });
    const sign = el("span", { class: "sr-strip-sign" });
    const name = el("span", { class: "sr-strip-name", text: shortened(entry.name) });
    const button = el("button", {
      type: "button", class: "sr-strip-picture", title: entry.name, "aria-label": entry.name, tabindex: "-1",
      onclick: () => this.onSelect(entry),
    }, image, sign, name);
    const label = t("common.remove", { what: entry.name });
    const remove = el("button", {
      type: "button", class: "sr-strip-remove", "aria-label": label, title: label, tabindex: "-1",
      onclick: () => this.onRemove(entry),
    }, icon("cross"));
    const node = el("li", {}, button, remove);
    this.items.set(entry, { node, button, image, sign, remove });
    this.list.append(node);
    this.node.hidden = this.items.size < 2;
  }

  remove(entry) {
    this.items.get(entry)?.node.remove();
    this.items.delete(entry);
    this.node.hidden = this.items.size < 2;
  }

  select(entry) {
    this.current = entry;
    for (const [other, { node, button, remove }] of this.items) {
      const chosen = other === entry;
      if (chosen) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      button.tabIndex = remove.tabIndex = chosen ? 0 : -1;
      // The list alone scrolls, not the page under the reader's eyes.
      if (chosen) this.list.scrollLeft = node.offsetLeft - (this.list.clientWidth - node.offsetWidth) / 2;
    }
  }

  // state: "waiting", "working", "failed", or the verdict: "pass", "fail", "neutral"
  show(entry, state, thumbnail = null) {
    const item = this.items.get(entry);
    if (!item) return;
    if (thumbnail && item.image.hidden) {
      item.image.src = fileUrl(thumbnail);
      item.image.hidden = false;
    }
    if (item.node.dataset.state === state) return;
    item.node.dataset.state = state;
    item.sign.replaceChildren(...(SIGNS[state] ? [icon(SIGNS[state])] : []));
    const words = t(`inspect.state-${state}`);
    item.button.title = `${entry.name}: ${words}`;
    item.button.setAttribute("aria-label", item.button.title);
    this.#tell();
  }

  #tell() {
    const states = [...this.items.values()].map(({ node }) => node.dataset.state);
    const count = (...wanted) => states.filter((state) => wanted.includes(state)).length;
    const parts = [t("inspect.pictures", { number: states.length })];
    const open = count("waiting", "working");
    if (open) parts.push(t("inspect.open", { number: open }));
    if (count("fail")) parts.push(t("inspect.failing", { number: count("fail") }));
    if (count("failed")) parts.push(t("inspect.unreadable", { number: count("failed") }));
    this.count.textContent = parts.join(" · ");
  }

  #pressed(event) {
    const entries = [...this.items.keys()];
    const at = entries.indexOf(this.current);
    const goal = {
      ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: entries.length - 1,
    }[event.key];
    if (event.key === "Delete" && this.current) this.onRemove(this.current);
    else if (goal !== undefined && entries[goal]) this.onSelect(entries[goal]);
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.items.get(this.current)?.button.focus();
  }
}

// Names of a series differ at their ends.
function shortened(name) {
  const plain = name.replace(/\.[^.]{1,5}$/, "");
  return plain.length > 13 ? `${plain.slice(0, 4)}…${plain.slice(-6)}` : plain;
}
