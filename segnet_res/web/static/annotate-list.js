// The pictures to annotate, with small pictures and states; a page at a time, because a folder may
// hold thousands.

import { el, fileUrl, icon } from "./dom.js";
import { t } from "./texts.js";

const PAGE = 24;
const CHUNK = 6;

const SIGNS = {
  done: "tick", rejected: "cross", "to review": "bang", draft: "brush", labelled: "mask",
  failed: "cross", new: "dash",
};
const FILTERS = ["all", "open", "to review", "done", "rejected"];

export class PictureList {
  // look(entries): asks the server for what is known of them, in their order; onSelect(entry)
  constructor({ look, onSelect, onClear }) {
    Object.assign(this, { look, onSelect });
    this.entries = [];
    this.current = null;
    this.first = 0;
    // Counts what was drawn: of an earlier page no more is asked.
    this.turn = 0;
    this.count = el("span", { class: "sr-annotate-count", role: "status" });
    this.filter = el("select", {
      id: "sr-annotate-filter", onchange: () => {
        this.first = 0;
        this.draw();
      },
    }, ...FILTERS.map((name) => el("option", { value: name, text: t(`annotate.${name}`) })));
    this.list = el("ol", {
      class: "sr-annotate-pictures", onkeydown: (event) => this.#pressed(event),
    });
    const turn = (text, sign, step) => el("button", {
      type: "button", class: "sr-tool", "aria-label": text, title: text, text: sign,
      onclick: () => {
        this.first += step;
        this.draw();
      },
    });
    this.previous = turn(t("annotate.previous"), "‹", -PAGE);
    this.next = turn(t("annotate.next"), "›", PAGE);
    this.range = el("span", { class: "sr-note" });
    this.pager = el("div", { class: "sr-annotate-pager" }, this.previous, this.range, this.next);
    this.node = el("section", { class: "sr-annotate-list", "aria-label": t("annotate.list"), hidden: true },
      el("header", {}, this.count, el("button", {
        type: "button", class: "sr-remove", "aria-label": t("annotate.removeAll"),
        title: t("annotate.removeAll"), onclick: onClear,
      }, icon("cross"))),
      el("label", { class: "sr-annotate-filter", for: "sr-annotate-filter" },
        el("span", { text: t("annotate.show") }), this.filter),
      this.list, this.pager);
  }

  set(entries) {
    this.entries = entries;
    this.first = 0;
    if (!entries.includes(this.current)) this.current = null;
    this.draw();
  }

  // Whether somebody has to look at a picture still.
  static isOpen(entry) {
    return !["done", "rejected"].includes(entry.mark);
  }

  shown() {
    const wanted = this.filter.value;
    return this.entries.filter((entry) => wanted === "all" || entry === this.current
      || (wanted === "open" ? PictureList.isOpen(entry) : entry.mark === wanted));
  }

  // The next picture that is to be annotated, after the current one, or null.
  following() {
    const at = this.entries.indexOf(this.current);
    const after = [...this.entries.slice(at + 1), ...this.entries.slice(0, Math.max(0, at))];
    return after.find((entry) => PictureList.isOpen(entry) && !entry.broken) ?? null;
  }

  neighbour(step) {
    const shown = this.shown();
    return shown[shown.indexOf(this.current) + step] ?? null;
  }

  select(entry) {
    this.current = entry;
    const at = this.shown().indexOf(entry);
    if (at >= 0) this.first = Math.floor(at / PAGE) * PAGE;
    this.draw();
  }

  draw() {
    const turn = ++this.turn;
    const shown = this.shown();
    this.first = Math.max(0, Math.min(this.first, Math.floor((shown.length - 1) / PAGE) * PAGE));
    const page = shown.slice(this.first, this.first + PAGE);
    this.node.hidden = this.entries.length === 0;
    const focused = this.list.contains(document.activeElement);
    this.list.replaceChildren(...page.map((entry) => this.#item(entry)));
    if (!page.length) this.list.append(el("li", { class: "sr-note", text: t("annotate.none") }));
    this.pager.hidden = shown.length <= PAGE;
    this.previous.disabled = this.first === 0;
    this.next.disabled = this.first + PAGE >= shown.length;
    this.range.textContent = t("annotate.page", {
      first: this.first + 1, last: this.first + page.length, total: shown.length,
    });
    this.#count();
    const chosen = this.list.querySelector("[aria-current]") ?? this.list.querySelector("button");
    if (chosen) chosen.tabIndex = 0;
    if (focused) chosen?.focus();
    this.#scrollTo(this.list.querySelector("[aria-current]"));
    this.#load(page.filter((entry) => entry.source && !entry.looked), turn);
  }

  #count() {
    const { length } = this.entries;
    const done = this.entries.filter((entry) => entry.mark === "done").length;
    const text = length === 1 ? t("annotate.countOne") : t("annotate.count", { count: length });
    this.count.textContent = [text, t("annotate.countDone", { done })].join(" · ");
  }

  #item(entry) {
    const state = entry.broken ? "failed" : entry.draft ? "draft" : entry.mark || "new";
    const words = [t(`annotate.${state}`)];
    if (entry.draft && entry.mark) words.push(t(`annotate.${entry.mark}`));
    const picture = entry.thumb ? el("img", { alt: "", src: fileUrl(entry.thumb) })
      : el("span", { class: "sr-annotate-blank" });
    const button = el("button", {
      type: "button", class: "sr-annotate-picture", tabindex: "-1", title: entry.name,
      "aria-current": entry === this.current ? "true" : null, onclick: () => this.onSelect(entry),
    }, picture,
    el("span", { class: "sr-annotate-words" },
      el("strong", {}, el("bdi", { text: entry.name })),
      el("span", { class: "sr-annotate-state" }, icon(SIGNS[state]), el("span", { text: words.join(", ") })),
      entry.reason ? el("span", { class: "sr-note", text: entry.reason }) : null));
    button.dataset.state = state;
    return el("li", {}, button);
  }

  // A few at a time: what is at the top appears first, and other questions come in between.
  async #load(entries, turn) {
    for (let i = 0; i < entries.length && turn === this.turn; i += CHUNK) {
      const some = entries.slice(i, i + CHUNK).filter((entry) => !entry.looked);
      if (!some.length) continue;
      const before = some.map(({ mark, draft }) => ({ mark, draft }));
      try {
        const found = await this.look(some);
        some.forEach((entry, k) => {
          const { thumb, draft, state, error } = found[k];
          Object.assign(entry, { looked: true, thumb, broken: error });
          // What was saved meanwhile is newer than the answer.
          if (entry.draft === before[k].draft) entry.draft = draft;
          if (entry.mark === before[k].mark && state !== null) entry.mark = state;
        });
      } catch {
        return; // whoever opens one of them is told why
      }
      // Also those of an earlier drawing: the one that came after leaves them to it.
      this.#redraw(some);
    }
  }

  #redraw(entries) {
    const buttons = [...this.list.querySelectorAll(".sr-annotate-picture")];
    const page = this.shown().slice(this.first, this.first + PAGE);
    for (const entry of entries) {
      const old = buttons[page.indexOf(entry)];
      if (!old) continue;
      const made = this.#item(entry).firstChild;
      made.tabIndex = old.tabIndex;
      const focused = document.activeElement === old;
      old.replaceWith(made);
      if (focused) made.focus();
    }
    this.#count();
  }

  #scrollTo(button) {
    if (!button) return;
    const top = button.offsetTop - this.list.offsetTop;
    const hidden = top < this.list.scrollTop
      || top + button.offsetHeight > this.list.scrollTop + this.list.clientHeight;
    // The list alone scrolls, not the page under the reader's eyes.
    if (hidden) this.list.scrollTop = top - (this.list.clientHeight - button.offsetHeight) / 2;
  }

  #pressed(event) {
    const buttons = [...this.list.querySelectorAll(".sr-annotate-picture")];
    const at = buttons.indexOf(document.activeElement);
    const goal = buttons[{
      ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: buttons.length - 1,
    }[event.key]];
    if (at < 0 || !goal) return;
    event.preventDefault();
    event.stopPropagation();
    buttons[at].tabIndex = -1;
    goal.tabIndex = 0;
    goal.focus();
  }
}
