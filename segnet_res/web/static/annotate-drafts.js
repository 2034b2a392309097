// Keeps what somebody paints: a draft on the server a second after the last change.

import { el } from "./dom.js";
import { t } from "./texts.js";

const REST_MS = 1000;
// Whoever paints without a pause gets a draft all the same.
const LONGEST_MS = 8000;
const RETRY_MS = 5000;

export class Drafts {
  // save(): sends the mask as it is now and resolves with the time at which it was kept.
  // onState(text)
  constructor({ save, onState }) {
    this.save = save;
    this.status = el("p", { class: "sr-note sr-annotate-draft", "aria-live": "off" });
    this.onState = onState;
    this.version = this.kept = 0;
    this.since = 0;
    // Counts pictures: what was under way for the one before says nothing of this one.
    this.turn = 0;
    this.timer = null;
    this.running = null;
    window.addEventListener("beforeunload", (event) => {
      if (this.pending) event.preventDefault();
    });
    // A tab that is hidden may never come back: then every second counts.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.flush().catch(() => {});
    });
  }

  // Another picture is open; nothing of it has changed.
  reset(text = t("annotate.draftNone")) {
    clearTimeout(this.timer);
    this.turn += 1;
    this.version = this.kept = 0;
    this.#tell("clean", text);
  }

  // Whether there are changes that the server does not have.
  get pending() {
    return this.kept !== this.version;
  }

  changed() {
    const now = performance.now();
    if (!this.pending) this.since = now;
    this.version += 1;
    if (this.running) return;
    const rest = Math.max(0, Math.min(REST_MS, this.since + LONGEST_MS - now));
    this.#later(rest);
    this.#tell("soon", t("annotate.draftSoon"));
  }

  // Keep what is not kept yet, now. Resolves when the server has it; rejects with a sentence.
  async flush() {
    clearTimeout(this.timer);
    while (this.running) await this.running.catch(() => {});
    if (!this.pending) return;
    const { version, turn } = this;
    this.#tell("saving", t("annotate.draftSaving"));
    this.running = this.save();
    try {
      const when = await this.running;
      if (turn !== this.turn) return;
      this.kept = Math.max(this.kept, version);
      this.#tell("saved", t("annotate.draftSaved", { time: clock(when) }));
    } catch (error) {
      if (turn === this.turn) {
        this.#tell("failed", t("annotate.draftFailed", { reason: error.message }));
        this.#later(RETRY_MS);
      }
      throw error;
    } finally {
      this.running = null;
    }
    if (this.pending) this.#later(REST_MS);
  }

  #later(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.flush().catch(() => {});
    }, milliseconds);
  }

  #tell(state, text) {
    this.status.dataset.state = state;
    this.status.textContent = text;
    this.onState?.(state);
  }
}

// The time of day; of another day also the day.
export function clock(when) {
  const date = new Date(when);
  const today = new Date().toDateString() === date.toDateString();
  const time = { hour: "2-digit", minute: "2-digit" };
  return today ? date.toLocaleTimeString([], time)
    : date.toLocaleString([], { ...time, year: "numeric", month: "short", day: "numeric" });
}
