// The table of the Evaluate tab: pictures sorted worst first, filtered, a page at a time.

import { el, icon, percent, score } from "./dom.js";
import { field } from "./evaluate-set.js";
import { t } from "./texts.js";

const PAGE_ROWS = 50;
const OUTCOMES = ["overkill", "escape", "found", "sound", "failed"];
const SIGNS = { sound: "tick", found: "tick", overkill: "bang", escape: "cross", failed: "dash" };

// Worst first: little IoU, much that is wrong. `rising` is the order in which worst comes first.
const COLUMNS = [
  { id: "name", text: "picture", rising: true, of: (row) => row.name },
  { id: "score", text: "miou", rising: true, number: true, of: (row, table) => table.scoreOf(row) },
  { id: "wrong", text: "wrong", number: true, of: (row) => wrong(row) },
  { id: "missed", text: "missed", number: true, of: (row) => row.missed },
  { id: "alarm", text: "falseAlarm", number: true, of: (row) => row.false_alarm },
  {
    id: "outcome", text: "outcome", rising: true,
    of: (row, table) => OUTCOMES.indexOf(table.outcomeOf(row)),
  },
];

export class PictureTable {
  // onOpen(rows, index) is called with the rows of the page and the place of the one to open.
  constructor({ onOpen }) {
    this.onOpen = onOpen;
    this.rows = [];
    this.classes = [];
    this.order = { column: "score", rising: true };
    this.page = 0;
    this.decision = "pixels"; // what says that a picture is defective: "pixels" or "limits"
    this.label = null; // the class that is looked at, or null
    this.node = this.#build();
  }

  clear() {
    this.rows = [];
    this.classes = [];
    this.label = this.opened = null;
    this.page = 0;
    this.outcome.value = this.search.value = "";
    this.node.hidden = true;
  }

  setClasses(classes, background) {
    if (this.classes.length) return;
    this.classes = classes;
    this.background = background;
    this.byClass.replaceChildren(el("option", { value: "", text: t("evaluate.allClasses") }),
      ...classes.map(({ index, name }) => el("option", { value: String(index), text: name })));
    // Without a background nothing can be missed, only called another class.
    for (const id of ["missed", "alarm"]) this.heads[id].hidden = background === null;
  }

  add(rows) {
    if (!rows.length) return;
    this.rows.push(...rows);
    this.node.hidden = false;
    this.draw();
  }

  scoreOf(row) {
    if (row.error) return null;
    return this.label === null ? row.miou : row.ious[this.label];
  }

  outcomeOf(row) {
    if (row.error) return "failed";
    return (this.decision === "limits" ? row.limits_outcome : row.outcome) ?? null;
  }

  setDecision(decision) {
    if (decision === this.decision) return;
    this.decision = decision;
    this.draw();
  }

  draw() {
    const rows = this.#sorted(this.rows.filter((row) => this.#fits(row)));
    const pages = Math.max(1, Math.ceil(rows.length / PAGE_ROWS));
    this.page = Math.min(this.page, pages - 1);
    const first = this.page * PAGE_ROWS;
    const shown = rows.slice(first, first + PAGE_ROWS);
    // Without a background, limits alone can say what is defective.
    const decided = this.background !== null || this.rows.some((row) => row.limits_outcome);
    const focused = this.#focused();
    this.body.replaceChildren(...shown.map((row, i) =>
      this.#row(row, decided, () => this.#open(shown, i))));
    this.#focus(focused);
    this.count.textContent = rows.length
      ? t("evaluate.shown", { first: first + 1, last: first + shown.length, count: rows.length })
      : t("evaluate.shownNone");
    this.heads.outcome.hidden = this.outcomeField.hidden = !decided;
    this.previous.disabled = this.page === 0;
    this.next.disabled = this.page === pages - 1;
    for (const { id } of COLUMNS) {
      const sorted = this.order.column === id;
      this.heads[id].setAttribute("aria-sort",
        sorted ? (this.order.rising ? "ascending" : "descending") : "none");
    }
    this.scoreHead.textContent = this.label === null
      ? t("evaluate.miou") : t("evaluate.iou");
  }

  #build() {
    this.heads = {};
    for (const column of COLUMNS) {
      const title = el("span", { text: t(`evaluate.${column.text}`) });
      if (column.id === "score") this.scoreHead = title;
      const button = el("button", {
        type: "button", title: t("evaluate.sortBy", { column: t(`evaluate.${column.text}`) }),
        onclick: () => this.#sort(column),
      }, title, el("span", { class: "sr-arrow", "aria-hidden": "true" }));
      this.heads[column.id] = el("th", {
        scope: "col", class: column.number ? "sr-number" : null, "data-column": column.id,
      }, button);
    }
    const redraw = () => {
      this.page = 0;
      this.label = this.byClass.value === "" ? null : Number(this.byClass.value);
      this.#redraw();
    };
    this.byClass = el("select", { id: "sr-evaluate-class", onchange: redraw });
    this.outcome = el("select", { id: "sr-evaluate-outcome", onchange: redraw },
      el("option", { value: "", text: t("evaluate.allOutcomes") }),
      ...OUTCOMES.map((name) => el("option", { value: name, text: t(`evaluate.${name}`) })));
    this.search = el("input", { type: "search", id: "sr-evaluate-search", autocomplete: "off", oninput: redraw });
    this.outcomeField = field(t("evaluate.byOutcome"), this.outcome);
    this.body = el("tbody");
    this.count = el("span");
    // Told aloud when a person changes what is shown, not with every row that arrives.
    this.aloud = el("span", { class: "sr-aloud", role: "status" });
    const turn = (text, sign, step) => el("button", {
      type: "button", class: "sr-tool", "aria-label": t(text), title: t(text), text: sign,
      onclick: () => {
        this.page += step;
        this.#redraw();
        this.scroll.scrollTop = 0;
      },
    });
    this.previous = turn("evaluate.previous", "‹", -1);
    this.next = turn("evaluate.next", "›", 1);
    this.scroll = el("div", { class: "sr-picture-scroll" },
      el("table", { class: "sr-pictures", "aria-label": t("evaluate.table") },
        el("thead", {}, el("tr", {}, ...Object.values(this.heads))), this.body));
    return el("section", { class: "sr-picture-table", hidden: true },
      el("div", { class: "sr-filters" },
        field(t("evaluate.byClass"), this.byClass), this.outcomeField,
        field(t("evaluate.search"), this.search),
        el("div", { class: "sr-pages" }, this.count, this.previous, this.next, this.aloud)),
      this.scroll);
  }

  // While rows arrive the table is drawn again and again: whoever is in it must not fall out.
  #focused() {
    const node = document.activeElement;
    return this.body.contains(node) ? node.closest("tr").dataset.index : null;
  }

  #focus(index) {
    if (index === null) return;
    this.body.querySelector(`tr[data-index="${index}"] .sr-open`)?.focus({ preventScroll: true });
  }

  #fits(row) {
    if (this.label !== null && !row.classes?.includes(this.label)) return false;
    if (this.outcome.value && this.outcomeOf(row) !== this.outcome.value) return false;
    const text = this.search.value.trim().toLowerCase();
    return !text || [row.name, row.part].some((name) => name.toLowerCase().includes(text));
  }

  #open(rows, i) {
    // Whoever comes back sees where they were.
    this.opened = rows[i].index;
    for (const [k, node] of [...this.body.children].entries()) node.toggleAttribute("data-opened", k === i);
    this.onOpen(rows, i);
  }

  #sort(column) {
    const same = this.order.column === column.id;
    this.order = {
      column: column.id, rising: same ? !this.order.rising : Boolean(column.rising),
    };
    this.page = 0;
    this.#redraw();
  }

  #redraw() {
    this.draw();
    this.aloud.textContent = this.count.textContent;
  }

  #sorted(rows) {
    const { of } = COLUMNS.find(({ id }) => id === this.order.column);
    const sign = this.order.rising ? 1 : -1;
    const keys = new Map(rows.map((row) => [row, of(row, this) ?? null]));
    return rows.sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      // What has no score comes last, whatever the order.
      if (x === null || y === null) return (x === null) - (y === null) || a.index - b.index;
      const order = typeof x === "string" ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
      return sign * order || a.index - b.index;
    });
  }

  #row(row, decided, open) {
    const name = el("button", {
      type: "button", class: "sr-open", onclick: open,
      title: t("evaluate.open", { part: row.part }),
    }, ...breakable(row.name));
    const cell = (text) => el("td", { class: "sr-number", text });
    const outcome = this.outcomeOf(row);
    const verdict = el("td", { class: "sr-outcome" },
      outcome ? el("span", {}, icon(SIGNS[outcome]), t(`evaluate.${outcome}`)) : null);
    const notes = row.error ? [row.error]
      : (row.warnings ?? []).map((text) => t("evaluate.doubt", { text }));
    const node = el("tr", { "data-index": row.index, "data-name": row.name, "data-outcome": outcome, onclick: (event) => {
      // The whole row may be clicked; the button serves the keyboard.
      if (!name.contains(event.target) && !window.getSelection()?.toString()) open();
    }, "data-opened": row.index === this.opened },
    el("td", { class: "sr-picture-name" }, name,
      ...notes.map((text) => el("span", { class: "sr-row-note", text }))),
    cell(score(this.scoreOf(row))), cell(percent(wrong(row))));
    if (this.background !== null) {
      node.append(cell(percent(row.missed)), cell(percent(row.false_alarm)));
    }
    if (decided) node.append(verdict);
    return node;
  }
}

// Long names break behind a slash, a hyphen or an underscore first.
function breakable(name) {
  return name.split(/(?<=[/_-])/).flatMap((part, i) => (i ? [el("wbr"), part] : [part]));
}

function wrong(row) {
  if (row.pixel_accuracy === null || row.pixel_accuracy === undefined) return null;
  return 1 - row.pixel_accuracy;
}
