// What can be done with the results of a batch: downloads, and judging again by other limits.

import { el, fileUrl, icon } from "./dom.js";
import { hasEnded } from "./jobs.js";
import { t } from "./texts.js";

export class BatchActions {
  // onPack({masks, overlays}) and onRejudge() begin a task of the server, onStop() ends it.
  constructor({ onPack, onRejudge, onStop }) {
    this.expected = null; // the task whose file shall be fetched when it is there
    const check = (key, name) => {
      const id = `sr-batch-pack-${name}`;
      const box = el("input", { type: "checkbox", id, checked: true, onchange: () => this.#update() });
      this[name] = box;
      return el("label", { class: "sr-check", for: id }, box, el("span", { text: t(key) }));
    };
    const button = (name, contents) => {
      this[name] = el("button", {
        type: "button", class: "sr-tool sr-batch-pack", "data-pack": name,
        onclick: () => onPack(contents()),
      }, icon("download"), el("span"));
      return this[name];
    };
    this.downloads = el("div", {
      class: "sr-batch-downloads", role: "group", "aria-label": t("batch.downloads"),
    },
    check("batch.masks", "masks"), check("batch.overlaysKind", "overlays"),
    button("zip", () => ({ masks: this.masks.checked, overlays: this.overlays.checked })),
    button("csv", () => ({ masks: false, overlays: false })));
    this.task = el("div", { class: "sr-batch-task", role: "status" });
    this.stop = el("button", { type: "button", class: "sr-tool", onclick: onStop },
      t("batch.stop"));
    this.link = el("a", { class: "sr-batch-file" });
    this.taskLine = el("div", { class: "sr-batch-task-line" }, this.task, this.link, this.stop);
    this.rejudge = el("button", {
      type: "button", class: "sr-tool", title: t("batch.rejudgeHelp"), text: t("batch.rejudge"),
      onclick: onRejudge,
    });
    this.changed = el("div", { class: "sr-batch-changed", role: "status", hidden: true },
      el("span", { text: t("batch.again") }), this.rejudge);
    this.node = el("div", { class: "sr-batch-actions", hidden: true },
      this.changed, this.downloads, this.taskLine);
  }

  hide() {
    this.node.hidden = true;
    this.expected = null;
    this.kind = null;
  }

  offerRejudge(offered) {
    this.changed.hidden = !offered;
  }

  // The file of this task is for somebody who waits for it.
  expect(task) {
    this.expected = task;
  }

  show({ task, matching, counts, overlays }, filtered) {
    this.node.hidden = counts.all === 0;
    this.working = Boolean(task) && !hasEnded(task);
    this.overlaysMade = overlays;
    this.some = matching > 0;
    this.zip.lastChild.textContent = filtered
      ? t("batch.zipShown", { count: matching }) : t("batch.zip");
    this.csv.lastChild.textContent = filtered
      ? t("batch.csvShown", { count: matching }) : t("batch.csv");
    this.#update();
    this.#showTask(task);
  }

  #update() {
    this.overlays.disabled = !this.overlaysMade;
    if (!this.overlaysMade) this.overlays.checked = false;
    this.zip.disabled = this.working || !this.some || !(this.masks.checked || this.overlays.checked);
    this.csv.disabled = this.working || !this.some;
    this.rejudge.disabled = this.working;
  }

  #showTask(task) {
    const text = task ? told(task) : "";
    // The same words again would be read aloud again.
    if (this.task.textContent !== text) this.task.textContent = text;
    this.task.classList.toggle("sr-batch-task-failed", task?.status === "failed");
    this.stop.hidden = !this.working;
    this.link.hidden = !task?.file;
    this.taskLine.hidden = !text && this.link.hidden;
    if (!task?.file) return;
    const name = task.file.split("/").at(-1);
    this.link.href = fileUrl(task.file);
    this.link.download = name;
    this.link.textContent = t("batch.fetch", { name });
    if (this.expected !== task.token) return;
    this.expected = null;
    this.link.click();
  }
}

function told({ status, error, kind, done, total, file }) {
  if (status === "failed") return error;
  if (status === "stopped") return t("batch.taskStopped");
  if (status === "done") return file ? t("batch.ready", { name: file.split("/").at(-1) }) : "";
  const key = kind === "pack" ? "batch.packing" : "batch.judging";
  return total > 0 ? t(key, { done, total }) : t(`${key}Soon`);
}
