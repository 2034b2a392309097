// Below the cards of the Models tab: what serves, going back to what served before, the history of
// promotions, and the family tree.

import { Asker } from "./asking.js";
import { el, icon, score } from "./dom.js";
import { familyTree } from "./lineage-tree.js";
import { RollbackDialog } from "./rollback.js";
import { t } from "./texts.js";

export function start(parts) {
  new RegistryView(parts);
}

class RegistryView {
  constructor({ element, value, onValue, send }) {
    this.element = element;
    this.asker = new Asker({ value, onValue, send: send.ask });
    this.shown = null;
    this.now = el("section", { class: "sr-serving", "aria-labelledby": "sr-serving-title" });
    this.done = el("p", { class: "sr-done", role: "status", hidden: true });
    this.alert = el("div", { class: "sr-alert", role: "alert", hidden: true });
    this.history = el("section", { "aria-labelledby": "sr-history-title" });
    this.tree = el("section", { "aria-labelledby": "sr-tree-title" });
    this.dialog = new RollbackDialog({ onConfirm: (words) => this.#goBack(words) });
    element.classList.add("sr-registry");
    element.setAttribute("role", "group");
    element.setAttribute("aria-label", t("registry.tab"));
    element.replaceChildren(this.now, this.tree, this.history, this.dialog.node);
    // Nothing is asked of the server before somebody opens the tab, hashing takes a moment; then it
    // is, however far below the cards this stands.
    new IntersectionObserver((entries) => {
      if (entries.at(-1).isIntersecting) this.#look();
    }, { rootMargin: "100000px" }).observe(element);
    document.addEventListener("segnet-res:listed", () => element.offsetParent && this.#look());
  }

  async #look() {
    if (this.looking) return;
    this.looking = true;
    try {
      const reply = await this.asker.ask({ action: "look" });
      this.#tell(reply.problem);
      const text = JSON.stringify({ ...reply, request: null });
      // Whoever reads, or has the focus on a button, keeps it: only news draw it again.
      if (text !== this.shown) this.#draw(reply);
      this.shown = text;
    } catch (error) {
      this.#tell(error.message);
    }
    this.looking = false;
    this.element.dataset.ready = String(Number(this.element.dataset.ready ?? 0) + 1);
  }

  #draw(reply) {
    this.now.replaceChildren(el("h2", { id: "sr-serving-title", text: t("registry.nowTitle") }),
      this.alert, this.done, ...this.#serving(reply));
    this.tree.replaceChildren(el("h2", { id: "sr-tree-title", text: t("registry.treeTitle") }),
      el("p", { class: "sr-note", text: t("registry.treeNote") }),
      familyTree(reply.tree, reply.serving?.sha256 ?? null));
    this.tree.hidden = reply.tree.length === 0;
    this.history.hidden = reply.history.length === 0;
    const cut = reply.lines > reply.history.length;
    this.history.replaceChildren(el("h2", { id: "sr-history-title", text: t("registry.historyTitle") }),
      el("p", { class: "sr-note", text: cut
        ? t("registry.historyCut", { shown: reply.history.length, lines: reply.lines })
        : t("registry.historyNote") }), historyTable(reply.history));
  }

  #serving({ serving, back, allowed, user }) {
    if (!serving) {
      const how = t(allowed ? "registry.howTo" : "registry.howToCommand");
      return [el("p", { text: `${t("registry.nothing")} ${how}` })];
    }
    const { checkpoint: name, by, why, at, action } = serving;
    const words = action === "rollback" ? "registry.backBy" : "registry.promotedBy";
    const rows = [
      el("p", { class: "sr-serving-now" }, icon("tick"), el("span", { text: t("registry.now", { name, when: moment(at) }) })),
      el("p", { class: "sr-serving-why", text: t(words, { by, why }) }),
    ];
    if (allowed && back) {
      rows.push(el("button", {
        type: "button", class: "sr-download sr-go-back", text: t("registry.goBack", { name: back.checkpoint }),
        onclick: () => this.dialog.open({ now: serving, back, user }),
      }));
    }
    return rows;
  }

  async #goBack({ by, why, now }) {
    const { serves } = await this.asker.ask({ action: "rollback", by, why, instead_of: now.sha256 });
    this.done.textContent = t("registry.backDone", { name: serves });
    this.done.hidden = false;
    document.dispatchEvent(new CustomEvent("segnet-res:refresh", { detail: { choose: serves } }));
    await this.#look();
  }

  #tell(sentence) {
    this.alert.textContent = sentence ?? "";
    this.alert.hidden = !sentence;
    if (!this.alert.isConnected) this.now.prepend(this.alert);
  }
}

// "2026-11-21T22:10:03+00:00" as people read it; the zone is said in the headings.
export function moment(at) {
  return at.slice(0, 16).replace("T", " ");
}

function historyTable(lines) {
  const heads = ["when", "what", "by", "why", "on", "change", "flips"];
  return el("div", { class: "sr-scroll", tabindex: "0", role: "group", "aria-label": t("registry.historyTitle") },
    el("table", { class: "sr-history" },
      el("thead", {}, el("tr", {}, ...heads.map((key) => el("th", { scope: "col", text: t(`registry.${key}`) })))),
      el("tbody", {}, ...lines.map(historyRow))));
}

function historyRow(line) {
  const small = (text) => el("small", { text });
  const what = el("td", {}, el("strong", { text: t(`registry.${line.action}`, { name: line.checkpoint }) }),
    line.before ? small(t("registry.instead", line)) : null);
  const why = el("td", { class: "sr-history-why", text: line.why },
    line.accepted ? small(t("registry.accepted", { reason: line.accepted })) : null);
  const promoted = line.action === "promote";
  const { exam, compared, miou: [before, after] } = line;
  const flips = el("td", {});
  if (compared) {
    flips.append(el("span", { class: line.missed ? "sr-missed" : null, text: t("registry.missed", line) }),
      small(t("registry.found", line)));
  }
  return el("tr", { "data-action": line.action },
    el("td", { class: "sr-number", text: moment(line.at) }), what, el("td", { text: line.by }), why,
    el("td", {}, promoted && exam.name ? t("registry.exam", exam) : "",
      promoted && !compared ? small(t("registry.compared")) : null),
    el("td", { class: "sr-number", text: compared ? `${score(before)} → ${score(after)}` : "" }),
    flips);
}
