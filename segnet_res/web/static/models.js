// The Models tab: a card for each checkpoint, with its reason where one cannot be used; where the
// page takes checkpoints, a place to add one.

import { el, score, swatch } from "./dom.js";
import { servesMark } from "./lineage-tree.js";
import { DropBox } from "./sources.js";
import { t } from "./texts.js";

const SUFFIX = ".safetensors";

export function start({ element, value, onValue, send, upload }) {
  element.classList.add("sr-models");
  const list = el("div", { class: "sr-model-list" });
  const adder = new Adder(send, upload);
  element.replaceChildren(adder.node, list);

  // Only what somebody looks at is measured, and once for all who look.
  const asked = new Set();
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const name = target.dataset.name;
      if (!isIntersecting || asked.has(name)) continue;
      asked.add(name);
      send.measure({ name });
    }
  });

  let shown = null;
  const receive = () => {
    const found = value();
    if (!found) return;
    adder.node.hidden = !found.accepts;
    adder.receive(found.reply);
    // Whoever reads a card, or has the focus on its button, keeps it: only news draw it again.
    const text = JSON.stringify(found.models);
    if (text !== shown) draw(found);
    if (shown !== null && text !== shown) document.dispatchEvent(new CustomEvent("segnet-res:listed"));
    shown = text;
    element.dataset.ready = String(found.models.length);
  };

  function draw(found) {
    const focused = document.activeElement?.closest(".sr-model-card")?.dataset.name;
    const empty = el("p", { class: "sr-empty", text: t("models.empty", { folder: found.folder }) });
    const usable = found.models.filter((model) => !model.error);
    const broken = found.models.filter((model) => model.error);
    seen.disconnect();
    list.replaceChildren(...(found.models.length ? [...usable, ...broken].map(card) : [empty]));
    for (const model of usable) {
      const node = [...list.children].find(({ dataset }) => dataset.name === model.name);
      if (!model.speed) seen.observe(node);
      if (model.name === focused) node.querySelector("button")?.focus({ preventScroll: true });
    }
    markChoice(list);
  }

  document.addEventListener("segnet-res:model", () => markChoice(list));
  onValue(receive);
  receive();
}

// A place to drop a checkpoint, and what became of it.
class Adder {
  constructor(send, upload) {
    this.send = send;
    this.upload = upload;
    this.number = 0;
    this.box = new DropBox({
      id: "sr-add-model", title: t("models.addTitle"), hint: t("models.addHint"), iconName: "upload",
      accept: SUFFIX, onFiles: ([file]) => this.add(file), onClear: () => this.tell("", ""),
    });
    this.status = el("div", { class: "sr-add-status", role: "status" });
    this.node = el("div", { class: "sr-add" }, this.box.node, this.status);
  }

  async add(file) {
    const { name } = file;
    if (!name.toLowerCase().endsWith(SUFFIX)) {
      this.tell("sr-alert", t("models.notAdded", { reason: t("models.wrongKind", { name }) }));
      return;
    }
    const request = ++this.number;
    this.tell("", t("models.sending", { name }));
    try {
      const { path } = await this.upload(file);
      if (request !== this.number) return;
      this.tell("", t("models.checking", { name }));
      this.send.accept({ request, path, name });
    } catch {
      if (request !== this.number) return;
      this.tell("sr-alert", t("models.notAdded", { reason: t("models.notSent", { name }) }));
    }
  }

  receive(reply) {
    if (!reply || reply.request !== this.number || reply.request === this.told) return;
    this.told = reply.request;
    if (reply.error) this.tell("sr-alert", t("models.notAdded", { reason: reply.error }));
    else this.tell("sr-done", t("models.added", { name: reply.added }));
  }

  tell(kind, text) {
    this.status.className = `sr-add-status ${kind}`;
    this.status.textContent = text;
  }
}

function markChoice(list) {
  const chosen = window.segnetResModel?.name;
  for (const node of list.querySelectorAll("[data-name]")) {
    const isChosen = node.dataset.name === chosen;
    node.classList.toggle("sr-chosen", isChosen);
    const button = node.querySelector("button");
    if (!button) continue;
    button.disabled = isChosen;
    button.textContent = t(isChosen ? "models.inUse" : "models.use");
  }
}

function card(model) {
  const title = el("h2", { text: model.name });
  if (model.error) {
    return el("article", { class: "sr-model-card sr-broken" }, title,
      el("p", { text: `${t("models.broken")} ${model.error}` }));
  }
  const button = el("button", {
    type: "button", class: "sr-download",
    onclick: () => document.dispatchEvent(new CustomEvent("segnet-res:choose", { detail: model.name })),
  });
  const head = el("header", {}, title, model.serving ? servesMark() : null);
  const node = el("article", {
    class: `sr-model-card${model.serving ? " sr-serves" : ""}`, "aria-label": model.name,
  }, head, headline(model), facts(model), ...classes(model), button);
  node.dataset.name = model.name;
  return node;
}

function headline({ miou, images }) {
  if (miou === null || miou === undefined) {
    return el("p", { class: "sr-note", text: t("models.noScore") });
  }
  const text = images ? t("models.validationOn", { count: images }) : t("models.validation");
  return el("p", { class: "sr-headline" }, el("strong", { text: score(miou) }), ` ${text}`);
}

function facts(model) {
  const rows = el("dl");
  const add = (key, text) => {
    if (text) rows.append(el("dt", { text: t(`models.${key}`) }), el("dd", { text }));
  };
  const kind = t(model.channels === 1 ? "models.grey" : "models.rgb");
  const trained = [model.data, model.trained_on && t("models.pictures", { count: model.trained_on })];
  add("architecture", `${model.architecture}, ${kind}`);
  add("trainedOn", trained.filter(Boolean).join(", "));
  add("created", model.created?.replace("T", " ").replace(/(\.\d+)?\+00:00$/, " UTC"));
  add("parent", model.parent);
  if (model.export) add("exported", exported(model.export));
  add("size", t("models.megabytes", { number: (model.bytes / 1e6).toFixed(1) }));
  add("speed", speed(model.speed));
  add("licence", model.licence);
  return rows;
}

function exported({ source, precision, labels }) {
  const kind = t(precision === "int8" ? "models.int8" : "models.float32");
  return [t("models.exportOf", { source }), kind, ...(labels ? [t("models.exportLabels")] : [])].join(", ");
}

function speed(measured) {
  if (!measured) return t("models.measuring");
  if (measured.error) return measured.error;
  const { seconds, width, height, device } = measured;
  const time = seconds < 1
    ? t("models.milliseconds", { number: Math.round(seconds * 1000) })
    : t("models.seconds", { number: seconds.toFixed(1) });
  return t("models.perPicture", { time, width, height, device });
}

function classes({ classes: rows, miou }) {
  const scored = miou !== null && miou !== undefined;
  const heading = t(scored ? "models.classesWithIou" : "models.classes");
  const list = el("ul", { class: "sr-class-list" });
  for (const row of rows) {
    list.append(el("li", {}, swatch(row.color),
      el("span", { class: "sr-name", title: row.name, text: row.name }),
      el("span", { class: "sr-number", text: scored ? score(row.iou) : "" })));
  }
  return [el("p", { class: "sr-note", text: heading }), list];
}
