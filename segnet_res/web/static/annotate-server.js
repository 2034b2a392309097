// What the Annotate tab asks the server.

import { Asker } from "./asking.js";
import { newId, recall, remember } from "./dom.js";
import { t } from "./texts.js";

// The server's own limit; asked here too, because an upload of half a gigabyte takes its time.
const MAX_BYTES = 512 * 2 ** 20;

const BROWSER_KEY = "segnet-res:browser";
const WHO_KEY = "segnet-res:who";

// By the beginning of the name the server knows that an upload is of no use once it is read. The rest
// is another one each time: equal contents of one name are one file there, and two people who send
// the same mask would lose it to each other.
const maskName = () => `corrected-mask-${newId()}.png`;

export class AnnotateServer {
  constructor({ value, onValue, send, upload }) {
    this.send = upload;
    this.openings = new Asker({ value, onValue, send: send.begin });
    this.questions = slotAsker("ask", send);
    this.masks = slotAsker("keep", send);
    // Tells this browser's drafts from those of others, where nobody logs in.
    this.browser = recall("localStorage", BROWSER_KEY) ?? newId();
    remember("localStorage", BROWSER_KEY, this.browser);
    // And those of this tab from those of another one.
    this.tab = newId();
    this.who = recall("localStorage", WHO_KEY) ?? "";
  }

  setWho(name) {
    this.who = name;
    remember("localStorage", WHO_KEY, name);
  }

  async open(entry, fields, onWaiting) {
    return this.#withPicture(entry, (source) =>
      this.openings.ask({ ...fields, ...this.#me(), source }, onWaiting));
  }

  ask(fields) {
    return this.questions.ask({ ...fields, ...this.#me() });
  }

  // Send a mask (Blob) with what is to be done with it: action "draft" or "save".
  async keep(entry, blob, fields) {
    return this.#withPicture(entry, async (source) => {
      const mask = await this.#upload(new File([blob], maskName(), { type: "image/png" }));
      return this.masks.ask({ ...fields, ...this.#me(), source, mask });
    });
  }

  // Uploads expire on the server, while the browser may still have the file.
  async #withPicture(entry, act) {
    await entry.uploaded((file) => this.#upload(file));
    try {
      return await act(entry.source);
    } catch (error) {
      if (!error.reply?.gone) throw error;
      if (!entry.file) throw new Error(t("annotate.gone", { name: entry.name }));
      entry.sendAgain();
      await entry.uploaded((file) => this.#upload(file));
      return act(entry.source);
    }
  }

  #me() {
    return { browser: this.browser, who: this.who, tab: this.tab };
  }

  async #upload(file) {
    if (file.size > MAX_BYTES) {
      const megabytes = Math.round(file.size / 2 ** 20);
      throw new Error(t("annotate.tooLarge", { name: file.name, megabytes }));
    }
    try {
      return (await this.send(file)).path;
    } catch (error) {
      throw new Error(t("annotate.uploadFailed", { name: file.name, reason: error?.message ?? error }));
    }
  }
}

// The replies to these events come by way of slot.js.
function slotAsker(name, send) {
  let latest = null;
  return new Asker({
    value: () => latest,
    onValue: (act) => document.addEventListener(`segnet-res:reply:annotate-${name}`, (event) => {
      latest = event.detail;
      act();
    }),
    send: send[name],
  });
}
