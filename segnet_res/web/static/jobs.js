// A bar that shows how far a job of the server is, with rate, rest and a button to stop it.

import { el, icon } from "./dom.js";
import { t } from "./texts.js";

const ENDED = ["done", "stopped", "failed"];

export const hasEnded = (state) => ENDED.includes(state.status);

export class JobBar {
  // onStop() is called when somebody wants the job to end.
  constructor({ onStop }) {
    this.fill = el("span", { class: "sr-job-fill" });
    this.track = el("div", {
      class: "sr-job-track", role: "progressbar", "aria-label": t("jobs.progress"),
      "aria-valuemin": "0",
    }, this.fill);
    this.text = el("span", { class: "sr-job-text" });
    this.file = el("span", { class: "sr-job-file" });
    this.stop = el("button", {
      type: "button", class: "sr-tool sr-job-stop",
      onclick: () => {
        this.stop.disabled = true;
        onStop();
      },
    }, icon("cross"), t("jobs.stop"));
    // Told aloud at each quarter only: every picture would be a flood.
    this.aloud = el("span", { class: "sr-aloud", role: "status" });
    this.node = el("div", { class: "sr-job", hidden: true },
      this.track, el("div", { class: "sr-job-line" }, this.text, this.file, this.stop), this.aloud);
    this.told = null;
  }

  hide() {
    this.node.hidden = true;
    this.told = null;
    this.aloud.textContent = "";
  }

  // `state` is what `Job.state` gives; or {status: "uploading", done, total}, before there is a job.
  show(state) {
    const { status, done, total } = state;
    const ended = hasEnded(state);
    this.node.hidden = false;
    this.node.dataset.status = status;
    this.track.setAttribute("aria-valuemax", String(Math.max(1, total)));
    this.track.setAttribute("aria-valuenow", String(done));
    this.fill.style.width = `${total > 0 ? (100 * done) / total : 0}%`;
    this.text.textContent = told(state).join(" · ");
    this.track.setAttribute("aria-valuetext", this.text.textContent);
    this.file.textContent = ended ? "" : state.message ?? "";
    this.file.title = this.file.textContent;
    // Focus must not fall out of the page when the button goes.
    if (ended && document.activeElement === this.stop) this.stop.blur();
    this.stop.hidden = ended;
    this.stop.disabled = status === "stopping";
    this.#tellAloud(`${status} ${total > 0 ? Math.floor((4 * done) / total) : 0}`);
  }

  #tellAloud(quarter) {
    if (quarter === this.told) return;
    this.told = quarter;
    this.aloud.textContent = this.text.textContent;
  }
}

function told(state) {
  const { status, done, total, ahead, rate, eta } = state;
  if (status === "uploading") return [t("jobs.uploading", { done, total })];
  if (status === "waiting") return [ahead === 1 ? t("jobs.waitingOne") : t("jobs.waiting", { ahead })];
  if (status === "done") {
    const time = duration(state.seconds);
    return [total === 1 ? t("jobs.doneOne", { time }) : t("jobs.done", { total, time })];
  }
  if (status === "stopped") return [t("jobs.stopped", { done, total })];
  if (status === "failed") return [t("jobs.failed", { done, total })];
  const parts = [t("jobs.count", { done, total })];
  if (status === "stopping") return [...parts, t("jobs.stopping")];
  if (rate) parts.push(pace(rate));
  if (eta !== null && eta !== undefined) parts.push(t("jobs.left", { time: duration(eta) }));
  if (ahead > 0) parts.push(ahead === 1 ? t("jobs.turnsOne") : t("jobs.turns", { ahead }));
  return parts;
}

function pace(rate) {
  if (rate >= 0.95) return t("jobs.rate", { rate: rate.toFixed(rate < 9.95 ? 1 : 0) });
  return t("jobs.pace", { seconds: (1 / rate).toFixed(rate > 0.1 ? 1 : 0) });
}

export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return t("jobs.seconds", { s });
  if (s < 3600) return t("jobs.minutes", { m: Math.floor(s / 60), s: s % 60 });
  return t("jobs.hours", { h: Math.floor(s / 3600), m: Math.floor((s % 3600) / 60) });
}
