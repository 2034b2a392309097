// The table of the Batch tab. The server filters and sorts: it alone has all rows, and there may be
// thousands; here is one page of them.

import { tile } from "./batch-tiles.js";
import { el, fileUrl, icon, percent, recall, remember, swatch } from "./dom.js";
import { grouped } from "./legend.js";
import { t } from "./texts.js";

const PAGE_ROWS = 50;
const LAYOUTS = { table: "asTable", tiles: "asTiles" };
const LAYOUT_KEY = "segnet-res:batch-layout";
const NARROW_PX = 700;
const STATES = ["all", "defective", "sound", "unjudged", "failed"];
const SIGNS = { defective: "bang", sound: "tick", unjudged: "dash", failed: "cross" };

// While somebody types, the server is not asked for every letter.
const TYPING_MS = 250;

export class BatchTable {
  // onView() is called when other rows are wanted, onOpen(rows, index) when a picture is.
  constructor({ onView, onOpen }) {
    this.onView = onView;
    this.onOpen = onOpen;
    // A table of ten columns is of little use on a phone.
    const usual = window.innerWidth < NARROW_PX ? "tiles" : "table";
    const kept = recall("localStorage", LAYOUT_KEY);
    this.layout = kept in LAYOUTS ? kept : usual;
    this.node = this.#build();
    this.#choose(this.layout);
    this.clear();
  }

  clear() {
    this.view = { state: null, text: "", order: "number", offset: 0, count: PAGE_ROWS };
    this.search.value = "";
    this.head = null;
    this.keys = [];
    this.rows = [];
    this.body.replaceChildren();
    this.tiles.replaceChildren();
    this.order.replaceChildren();
    this.headRow.replaceChildren();
    this.node.hidden = true;
  }

  // Whether some rows are filtered away.
  get filtered() {
    return this.view.state !== null || this.view.text !== "";
  }

  show(reply) {
    this.node.hidden = false;
    // The server knows the last page.
    this.view.offset = reply.offset;
    this.#showHead(reply);
    this.#showRows(reply);
    this.#showCounts(reply);
    const { offset, matching, rows } = reply;
    this.page.textContent = matching
      ? t("batch.shown", { first: offset + 1, last: offset + rows.length, count: matching })
      : t(reply.counts.all ? "batch.shownNone" : "batch.waiting");
    this.previous.disabled = offset === 0;
    this.next.disabled = offset + rows.length >= matching;
  }

  #build() {
    this.chips = {};
    for (const state of STATES) {
      const number = el("span", { class: "sr-chip-number" });
      const sign = state === "all" ? null : icon(SIGNS[state]);
      const chip = el("button", {
        type: "button", class: "sr-chip", "data-state": state, "aria-pressed": "false",
        onclick: () => this.#look({ state: state === "all" ? null : state }),
      }, sign, el("span", { text: t(`batch.${state}`) }), number);
      this.chips[state] = { chip, number };
    }
    let typing = null;
    this.search = el("input", {
      type: "search", id: "sr-batch-search", class: "sr-batch-search", autocomplete: "off",
      "aria-label": t("batch.search"), placeholder: t("batch.search"), oninput: () => {
        clearTimeout(typing);
        typing = setTimeout(() => this.#look({}), TYPING_MS);
      },
    });
    this.page = el("span", { class: "sr-batch-page" });
    const turn = (text, sign, step) => el("button", {
      type: "button", class: "sr-tool", "aria-label": t(text), title: t(text), text: sign,
      onclick: () => {
        this.#look({ offset: Math.max(0, this.view.offset + step * PAGE_ROWS) });
        this.scroll.scrollTop = 0;
      },
    });
    this.previous = turn("batch.previous", "‹", -1);
    this.next = turn("batch.next", "›", 1);
    this.headRow = el("tr");
    this.body = el("tbody");
    this.tiles = el("ul", { class: "sr-batch-tiles", "aria-label": t("batch.table") });
    this.grid = el("table", { class: "sr-batch-table", "aria-label": t("batch.table") },
      el("thead", {}, this.headRow), this.body);
    this.scroll = el("div", {
      class: "sr-batch-scroll", tabindex: "0", role: "region", "aria-label": t("batch.table"),
    }, this.grid, this.tiles);
    this.order = el("select", {
      id: "sr-batch-order", onchange: () => this.#look({ order: this.order.value }),
    });
    // The heads of the table sort; tiles have none.
    this.orderField = el("label", { class: "sr-batch-order", for: "sr-batch-order" },
      el("span", { text: t("batch.order") }), this.order);
    this.layouts = {};
    for (const [layout, text] of Object.entries(LAYOUTS)) {
      this.layouts[layout] = el("button", {
        type: "button", "data-layout": layout, text: t(`batch.${text}`),
        onclick: () => {
          remember("localStorage", LAYOUT_KEY, layout);
          this.#choose(layout);
        },
      });
    }
    return el("section", { class: "sr-batch-results" },
      el("div", { class: "sr-batch-filters" },
        el("div", { class: "sr-chips", role: "group", "aria-label": t("batch.filter") },
          ...STATES.map((state) => this.chips[state].chip)),
        this.search, this.orderField,
        el("div", { class: "sr-batch-layouts", role: "group", "aria-label": t("batch.layout") },
          ...Object.values(this.layouts)),
        el("div", { class: "sr-batch-pages" }, this.page, this.previous, this.next)),
      this.scroll);
  }

  #look(change) {
    // What is being typed counts at once when something else is pressed.
    this.view = { ...this.view, text: this.search.value, offset: 0, ...change };
    this.#markOrder();
    this.onView();
  }

  #choose(layout) {
    this.layout = layout;
    for (const [name, button] of Object.entries(this.layouts)) {
      button.setAttribute("aria-pressed", String(name === layout));
    }
    this.grid.hidden = layout !== "table";
    this.tiles.hidden = this.orderField.hidden = layout !== "tiles";
    // Drawn anew in the other form.
    this.keys = [];
    this.body.replaceChildren();
    this.tiles.replaceChildren();
    if (this.rows) this.#showRows({ rows: this.rows });
  }

  #showCounts({ counts }) {
    for (const state of STATES) {
      const { chip, number } = this.chips[state];
      number.textContent = String(counts[state]);
      chip.setAttribute("aria-pressed", String((this.view.state ?? "all") === state));
      // What never happens in most batches would only take room.
      chip.hidden = state === "unjudged" && counts[state] === 0;
    }
  }

  #showHead({ classes, background }) {
    const key = JSON.stringify([classes, background]);
    if (key === this.head) return;
    this.head = key;
    this.keys = [];
    this.classes = classes.map((row, index) => ({ ...row, index }))
      .filter(({ index }) => index !== background);
    this.background = background;
    this.order.replaceChildren(...Object.entries({
      number: t("batch.sortNumber"), name: t("batch.sortName"), worst: t("batch.sortWorst"),
      unsure: t("batch.sortUnsure"),
      ...Object.fromEntries(this.classes.map(({ name, index }) =>
        [`class ${index}`, t("batch.sortClass", { name })])),
    }).map(([value, text]) => el("option", { value, text })));
    const column = (order, sort, title, content, number) => el("th", {
      scope: "col", class: number ? "sr-number" : null, "data-order": order,
    }, el("button", {
      type: "button", title: sort, onclick: () => this.#look({ order }),
    }, ...content, el("span", { class: "sr-batch-arrow", "aria-hidden": "true" })));
    const plain = (key, number) => el("th", {
      scope: "col", class: number ? "sr-number" : null, text: t(`batch.${key}`),
    });
    const text = (key) => [el("span", { text: t(`batch.${key}`) })];
    this.headRow.replaceChildren(
      column("number", t("batch.sortNumber"), "number", text("number"), true),
      column("name", t("batch.sortName"), "picture", text("picture")),
      plain("verdict"),
      ...(background === null ? []
        : [column("worst", t("batch.sortWorst"), "defects", text("defects"), true)]),
      ...this.classes.map(({ name, color, index }) => column(
        `class ${index}`, t("batch.sortClass", { name }), name,
        [swatch(color), el("span", { class: "sr-name", text: name })], true)),
      plain("regions", true),
      column("unsure", t("batch.sortUnsure"), "confidence", text("confidence"), true),
    );
    this.#markOrder();
  }

  #markOrder() {
    this.order.value = this.view.order;
    for (const head of this.headRow.querySelectorAll("[data-order]")) {
      const { order } = head.dataset;
      const rising = ["number", "name", "unsure"].includes(order);
      head.setAttribute("aria-sort",
        order === this.view.order ? (rising ? "ascending" : "descending") : "none");
    }
  }

  // Rows that are the same stay: focus, selection and thumbnails with them.
  #showRows({ rows }) {
    const keys = rows.map((row) => JSON.stringify(row));
    const list = this.layout === "table" ? this.body : this.tiles;
    rows.forEach((row, i) => {
      if (keys[i] === this.keys[i]) return;
      const node = this.layout === "table" ? this.#row(row, i)
        : tile(row, SIGNS[row.state], () => this.onOpen(this.rows, i));
      const before = list.children[i];
      if (before) before.replaceWith(node);
      else list.append(node);
    });
    while (list.children.length > rows.length) list.lastChild.remove();
    this.keys = keys;
    this.rows = rows;
  }

  #row(row, i) {
    const failed = row.state === "failed";
    const open = () => this.onOpen(this.rows, i);
    const thumbnail = el("span", { class: "sr-batch-thumb" });
    if (row.thumbnail) {
      thumbnail.append(el("img", { alt: "", loading: "lazy", src: fileUrl(row.thumbnail) }));
    }
    const name = failed ? el("span", { class: "sr-batch-name", text: row.name }) : el("button", {
      type: "button", class: "sr-batch-name", title: t("batch.open"), text: row.name, onclick: open,
    });
    const number = (text) => el("td", { class: "sr-number", text });
    // Nothing at all is what most cells say: it must not drown what the others say.
    const share = (value) => el("td", {
      class: `sr-number${value === 0 ? " sr-batch-zero" : ""}`, text: failed ? "" : percent(value),
    });
    const [height, width] = row.size ?? [];
    const title = el("span", { class: "sr-batch-title-cell" }, name);
    if (row.size) title.append(el("span", { class: "sr-batch-size", text: `${width}×${height} px` }));
    const cells = [
      number(String(row.number + 1)),
      el("td", {}, el("div", { class: "sr-batch-picture" }, thumbnail, title)),
      this.#verdict(row),
    ];
    if (this.background !== null) cells.push(share(row.defects));
    for (const { index } of this.classes) cells.push(share(row.shares[index]));
    cells.push(number(row.regions === null ? "" : grouped(row.regions)),
      number(row.confidence === null ? "" : row.confidence.toFixed(3)));
    return el("tr", {
      "data-name": row.name, "data-state": row.state,
      // The whole row may be clicked; the button serves the keyboard.
      onclick: (event) => {
        if (!failed && event.target !== name && !window.getSelection()?.toString()) open();
      },
    }, ...cells);
  }

  #verdict({ state, reasons, error }) {
    const sentences = error ? [error] : reasons;
    const shown = sentences.slice(0, 2);
    if (sentences.length > shown.length) shown.push(`+ ${sentences.length - shown.length}`);
    return el("td", { class: "sr-batch-verdict", title: sentences.join("\n") },
      el("span", { class: "sr-batch-state" }, icon(SIGNS[state]), t(`batch.${state}`)),
      ...shown.map((text) => el("span", { class: "sr-batch-reason", text })));
  }
}
