// Defects newly missed and newly found, one by one, each with its picture in linked viewers.

import { el, fileUrl, icon, percent, swatch } from "./dom.js";
import { FlipScreen } from "./promote-viewers.js";
import { t } from "./texts.js";

const FLIPS = ["newly_missed", "newly_found", "newly_misnamed"];
const LISTS = [...FLIPS, "new_alarms", "ended_alarms"];

export class FlipView {
  // picture(stem, onWaiting) resolves with the server's answer about a picture.
  constructor({ picture }) {
    this.ask = picture;
    // Counts choices: the picture of an earlier one is dropped.
    this.turn = 0;
    this.tabs = el("div", { class: "sr-flip-tabs", role: "group", "aria-label": t("promote.flips") });
    this.about = el("p", { class: "sr-note" });
    this.list = el("ol", { class: "sr-flip-list" });
    this.screen = new FlipScreen({ onStep: (direction) => this.#step(direction) });
    this.node = el("section", { class: "sr-flips", "aria-label": t("promote.flips"), hidden: true },
      el("h3", { text: t("promote.flips") }), this.tabs,
      el("div", { class: "sr-flip-grid" }, el("div", { class: "sr-flip-side" }, this.about, this.list), this.screen.node));
  }

  // comparison and the reply that it came with; null: there is none
  show(comparison, reply) {
    this.turn++;
    this.comparison = comparison;
    this.node.hidden = comparison === null;
    this.pictures = new Map();
    this.screen.clear(t("promote.choose"));
    if (comparison === null) return;
    this.screen.name(reply.parent, reply.title);
    this.colors = new Map(comparison.classes.map(({ name, color }) => [name, color]));
    const first = LISTS.find((key) => comparison.flips[key].total > 0);
    this.#choose(first ?? LISTS[0]);
  }

  #choose(key) {
    const { flips } = this.comparison;
    this.key = key;
    this.tabs.replaceChildren(...LISTS.map((name) => el("button", {
      type: "button", class: "sr-tool", "aria-pressed": String(name === key), "data-list": name,
      "data-bad": ["newly_missed", "new_alarms"].includes(name) && flips[name].total > 0,
      onclick: () => {
        this.#choose(name);
        this.tabs.querySelector("[aria-pressed=true]").focus();
      },
    }, t("promote.counted", { name: t(`promote.${name}`), total: flips[name].total }))));
    const { rows, total } = flips[key];
    const cut = rows.length < total ? ` ${t("promote.cut", { shown: rows.length, total })}` : "";
    this.about.textContent = t(`promote.about_${key}`) + cut;
    // A picture that is newly called defective has no single place.
    this.rows = FLIPS.includes(key) ? rows : rows.map((stem) => ({ stem }));
    this.list.replaceChildren(...this.rows.map((row, i) => el("li", {}, this.#button(row, i))));
    if (!total) this.list.append(el("li", { class: "sr-flip-none" }, icon("tick"), t(`promote.none_${key}`)));
    this.screen.clear(t("promote.choose"));
    this.screen.node.hidden = total === 0;
    this.chosen = null;
    if (total) this.#open(0, false);
  }

  #button(row, i) {
    const { stem, name, pixels, before, after } = row;
    const lines = name === undefined ? [el("span", { class: "sr-flip-name", text: stem })] : [
      el("span", { class: "sr-flip-name" }, swatch(this.colors.get(name)), el("span", { text: name }),
        el("small", { text: t("promote.px", { number: pixels.toLocaleString("en") }) })),
      el("span", { class: "sr-flip-stem", text: stem }),
      el("small", { text: t("promote.found", { before: percent(before, 0), after: percent(after, 0) }) }),
    ];
    return el("button", { type: "button", class: "sr-flip", onclick: () => this.#open(i, true) }, ...lines);
  }

  #step(direction) {
    const next = (this.chosen ?? -1) + direction;
    if (next >= 0 && next < this.rows.length) this.#open(next, true);
    return this.rows.length > 1;
  }

  async #open(i, asked) {
    const turn = ++this.turn;
    const row = this.rows[i];
    this.chosen = i;
    const buttons = [...this.list.querySelectorAll("button")];
    buttons.forEach((button, place) => {
      if (place === i) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
    // The page must not jump for what nobody has asked for.
    if (asked) buttons[i].scrollIntoView({ block: "nearest" });
    try {
      const picture = await this.#picture(row.stem, turn);
      if (turn !== this.turn) return;
      const shown = await this.screen.show(picture, row, fileUrl);
      if (shown && turn === this.turn) this.node.dataset.shown = `${this.key} ${i}`;
    } catch (error) {
      if (turn !== this.turn) return;
      this.pictures.delete(row.stem);
      this.screen.clear(error.message);
    }
  }

  // Each picture is asked for once; one that failed can be asked for again.
  async #picture(stem, turn) {
    if (!this.pictures.has(stem)) {
      this.screen.tell(t("promote.loading", { name: stem }));
      this.pictures.set(stem, await this.ask(stem, (ahead) => {
        if (turn === this.turn) this.screen.tell(t("promote.waiting", { ahead }));
      }));
    }
    return this.pictures.get(stem);
  }
}
