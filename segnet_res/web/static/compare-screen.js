// What the Compare tab shows of one comparison: A and B above the map and the table of changes.

import { summed } from "./compare-numbers.js";
import { Pane } from "./compare-pane.js";
import { changeTable, differenceKey, downloads, headline } from "./compare-table.js";
import { el, fileUrl, icon } from "./dom.js";
import { t } from "./texts.js";
import { Viewer } from "./viewer.js";

const VIEWS = ["Overlay", "Image", "Mask", "Outline", "Confidence", "Errors"];

export class Screen {
  // act: onModels() when a checkpoint is chosen, onOpen() when a list is opened, onInspect(side),
  // onSwap(), onStep(direction)
  constructor(act) {
    this.act = act;
    // "one": the table tells of this picture; "all": of all that were compared.
    this.scope = "one";
    this.#build();
  }

  get models() {
    return this.panes.map((pane) => pane.name);
  }

  // Nobody compares a checkpoint with itself: choosing the other side's exchanges the two.
  chosen(side, before) {
    const other = this.panes[1 - side];
    if (other.name === this.panes[side].name) other.name = before;
    this.act.onModels();
  }

  // Draw a reply; resolves with false when another has overtaken it.
  async show(reply) {
    const results = resultsOf(reply);
    const shown = await Promise.all(this.viewers.map((viewer, i) => viewer.show(results[i], fileUrl)));
    if (!shown.every(Boolean)) return false;
    this.viewers[0].fit();
    const equal = reply.codes[0].pixels === reply.image.width * reply.image.height;
    this.viewers[2].tell(equal ? t("compare.equal") : "");
    this.fail(reply.reference_error);
    this.warn(reply.warnings);
    const size = `${reply.image.width}×${reply.image.height}`;
    const [first, second] = reply.timings;
    const parts = [t("compare.finished", { size, first, second })];
    if (reply.step > 1) parts.push(t("compare.reduced", { step: reply.step }));
    this.say(parts.join(" · "));
    return true;
  }

  // The numbers of one entry, {name, reply}, and of all replies that there are.
  table(entry, replies) {
    const all = this.scope === "all" && replies.length > 1;
    const total = summed(all ? replies : [entry.reply]);
    const [a, b] = this.viewers;
    const toggle = (index, visible) => [a, b].forEach((viewer) => viewer.setVisible(index, visible));
    const stem = all ? t("compare.count", { count: replies.length }) : entry.name.replace(/\.[^.]*$/, "");
    this.changes.replaceChildren(
      el("header", {}, el("h2", { text: t("compare.changesTitle") }),
        replies.length > 1 ? this.#scopes(all, entry, replies) : null),
      ...headline(total),
      changeTable(total, entry.reply.background, a.hidden, toggle),
      el("p", { class: "sr-note", text: t(total.scores ? "compare.policy" : "compare.noReference") }),
      downloads(total, entry.reply.models, all ? null : entry.reply.files, stem.replaceAll(/[/\\ ]/g, "_")),
    );
  }

  clear(text) {
    for (const viewer of this.viewers) viewer.clear(text);
    this.changes.replaceChildren(el("header", {}, el("h2", { text: t("compare.changesTitle") })),
      el("p", { class: "sr-empty", text: t("compare.waitingTable") }));
    this.fail(null);
    this.warn([]);
    this.say("");
  }

  fail(sentence) {
    this.alert.textContent = sentence ?? "";
    this.alert.hidden = !sentence;
  }

  warn(sentences) {
    this.warnings.replaceChildren(...sentences.map((text) => el("p", { text })));
  }

  say(text) {
    this.status.textContent = text;
  }

  #build() {
    this.viewers = [
      new Viewer({ views: VIEWS, label: t("compare.checkpointA"), screen: () => this.node }),
      new Viewer({ views: VIEWS, label: t("compare.checkpointB"), toolbar: false }),
      new Viewer({ views: ["Differences"], label: t("compare.mapTitle"), toolbar: false }),
    ];
    const [a, b, map] = this.viewers;
    a.link(b);
    a.link(map);
    a.onStep = this.act.onStep;
    this.panes = ["A", "B"].map((side, i) => new Pane(side, this.viewers[i], {
      onChoose: (before) => this.chosen(i, before), onOpen: this.act.onOpen, onInspect: () => this.act.onInspect(i),
    }));
    a.toolbar.tools.append(el("button", {
      type: "button", class: "sr-tool", title: t("compare.swap"), "aria-label": t("compare.swap"),
      onclick: this.act.onSwap,
    }, icon("swap")));
    this.alert = el("div", { class: "sr-alert", role: "alert", hidden: true });
    this.warnings = el("div", { class: "sr-warnings", role: "status" });
    this.status = el("div", { class: "sr-status", role: "status", "aria-live": "polite" });
    this.changes = el("div", { class: "sr-compare-changes" });
    this.grid = el("div", { class: "sr-compare-grid" }, ...this.panes.map((pane) => pane.node),
      el("section", { class: "sr-pane", "aria-label": t("compare.mapTitle") },
        el("header", {}, el("h2", { text: t("compare.mapTitle") })), map.node),
      el("section", { class: "sr-pane", "aria-label": t("compare.changesTitle") }, this.changes));
    this.node = el("div", { class: "sr-compare-main" }, this.alert, this.warnings, a.toolbar.node,
      this.grid);
  }

  #scopes(all, entry, replies) {
    const button = (scope, text) => el("button", {
      type: "button", text, "aria-pressed": String(all === (scope === "all")),
      onclick: () => {
        this.scope = scope;
        this.table(entry, replies);
        this.changes.querySelector(".sr-modes [aria-pressed=true]").focus();
      },
    });
    return el("div", { class: "sr-modes", role: "group", "aria-label": t("compare.scope") },
      button("one", t("compare.thisPicture")),
      button("all", t("compare.allPictures", { count: replies.length })));
  }
}

// What each of the three viewers takes for a result of its own.
function resultsOf(reply) {
  const { files, models } = reply;
  const { preview, full } = files;
  const common = { ...reply, reference: files.reference && { file: files.reference } };
  const side = (i, shown, confidence) => ({
    ...common, model: models[i], files: { preview, full, shown, confidence },
  });
  return [side(0, files.first, files.confidence), side(1, files.second, files.second_confidence), {
    ...common, model: models.join("\n"), reference: null, differences: differenceKey(reply.codes),
    files: { preview, full, differences: files.differences },
  }];
}
