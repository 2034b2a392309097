// Questions to the server and their answers, one after the other.
//
// A component hands on its latest value only: two answers that arrive at once would lose one.
// Whoever asks through here has at most one question under way.

import { newId } from "./dom.js";
import { t } from "./texts.js";

const LOOK_SECONDS = 5;

// Gradio may lose a question: it ends the stream of a page that waits for nothing just when the next
// one comes, and forgets what belongs to that stream. So what hears nothing is asked again. These
// change nothing or the same again, as does everything that names no action; all others get a name
// by which the server knows them, and are done but once.
const REPEATABLE = new Set([
  "choices", "classes", "compare", "folders", "freezing", "list", "look", "picture", "pictures",
  "places", "sets", "stop", "watch",
]);
const FIRST_REPEAT = 3;  // of the looks below; each later one after twice the time

// In place of the server's name, where it answers to nobody who is not logged in.
const LOGGED_OUT = Symbol("logged out");

export class Asker {
  // `value` and `onValue` are those of the component that gets the answers; `send` sends an event.
  constructor({ value, onValue, send }) {
    this.send = send;
    this.number = 0;
    this.pending = null;
    this.last = Promise.resolve();
    onValue(() => this.#received(value()));
  }

  // The server's answer to `fields`; rejects with a sentence when there is none, or it is an error
  // (`reply` of the error has the answer then). `onWaiting(ahead)` hears how many others are before.
  ask(fields, onWaiting = null) {
    const answer = this.last.then(() => this.#asked(fields, onWaiting));
    this.last = answer.catch(() => {});
    return answer;
  }

  #asked(fields, onWaiting) {
    return new Promise((resolve, reject) => {
      const request = ++this.number;
      const harmless = !fields.action || REPEATABLE.has(fields.action);
      const question = { ...fields, request, ...(harmless ? {} : { once: newId() }) };
      const send = () => this.send(question);
      this.pending = { request, resolve, reject, onWaiting, again: send };
      send();
      this.#watch(request);
    });
  }

  #received(reply) {
    const pending = this.pending;
    if (!pending || reply?.request !== pending.request) return;
    if (reply.kind === "heard" || reply.kind === "waiting") {
      pending.again = null;  // asked once more, the same picture would be computed a second time
      if (reply.kind === "waiting") pending.onWaiting?.(reply.ahead);
      return;
    }
    this.pending = null;
    if (reply.error) pending.reject(Object.assign(new Error(reply.error), { reply }));
    else pending.resolve(reply);
  }

  // A server that has gone never answers, and one that was started again knows nothing of what was
  // asked: without this the page would wait for ever.
  async #watch(request) {
    for (let looks = 1, silent = 0, repeat = FIRST_REPEAT; silent < 2; looks++) {
      await new Promise((done) => setTimeout(done, LOOK_SECONDS * 1000));
      if (this.pending?.request !== request) return;
      const server = await serverName();
      if (server === LOGGED_OUT) return this.#giveUp(request, "jobs.loggedOut");
      silent = server === null ? silent + 1 : 0;
      if (server !== null && server !== await first && await first !== null) {
        return this.#giveUp(request, "jobs.restarted");
      }
      if (server === null || looks < repeat || this.pending?.request !== request) continue;
      repeat *= 2;
      this.pending.again?.();
    }
    this.#giveUp(request, "jobs.gone");
  }

  #giveUp(request, text) {
    if (this.pending?.request !== request) return;
    this.pending.reject(new Error(t(text)));
    this.pending = null;
  }
}

// What tells one run of the server from the next; null when it does not answer.
function serverName() {
  return fetch(new URL("gradio_api/app_id", document.baseURI), { cache: "no-store" })
    .then((answer) => {
      if (answer.status === 401) return LOGGED_OUT;
      return answer.ok ? answer.text() : null;
    }, () => null);
}

const first = serverName();
