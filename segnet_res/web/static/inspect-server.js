// What the Inspect tab asks the server.

import { Asker } from "./asking.js";
import { t } from "./texts.js";

// The server's own limit; asked here too, because an upload of half a gigabyte takes its time.
const MAX_BYTES = 512 * 2 ** 20;

export class InspectServer {
  constructor({ value, onValue, send, upload }) {
    this.send = upload;
    this.inspections = new Asker({ value, onValue, send: send.inspect });
    this.refinements = slotAsker("refine", send);
    this.unsureMaps = slotAsker("unsure", send);
    this.files = slotAsker("download", send);
  }

  // Upload what an entry still lacks: its picture, its reference mask.
  uploaded(entry) {
    return entry.uploaded((file) => this.#upload(file));
  }

  // -> {reply, key}: the result, and the state of the entry that it belongs to.
  async inspect(entry, model, judgement, onWaiting) {
    await this.uploaded(entry);
    const key = entry.state(judgement);
    const reply = await this.inspections.ask({
      model, source: entry.source, reference: entry.wantedReference(), ...judgement,
    }, onWaiting);
    return { reply, key };
  }

  // The same of a result that is known, with other sliders, limits or another reference.
  async refine(entry, known, judgement) {
    await this.uploaded(entry);
    const key = entry.state(judgement);
    const reply = await this.refinements.ask({
      result: known.result, reference: entry.wantedReference(), ...judgement,
    });
    if (known.files.unsure) reply.files.unsure = known.files.unsure;
    // What the picture itself took is worth more than how long the sliders take.
    reply.timings = known.timings;
    return { reply, key };
  }

  unsure(result, onWaiting) {
    return this.unsureMaps.ask({ result: result.result }, onWaiting);
  }

  // -> {file, name} of one file of what is seen
  download(entry, result, kind, judgement) {
    const reference = entry.wantedReference();
    return this.files.ask({ result: result.result, reference, download: kind, ...judgement });
  }

  async #upload(file) {
    if (file.size > MAX_BYTES) {
      const megabytes = Math.round(file.size / 2 ** 20);
      throw new Error(t("inspect.tooLarge", { name: file.name, megabytes }));
    }
    try {
      return (await this.send(file)).path;
    } catch (error) {
      throw new Error(t("inspect.uploadFailed", { name: file.name, reason: error?.message ?? error }));
    }
  }
}

// The replies to these events come by way of slot.js.
function slotAsker(name, send) {
  let latest = null;
  return new Asker({
    value: () => latest,
    onValue: (act) => document.addEventListener(`segnet-res:reply:${name}`, (event) => {
      latest = event.detail;
      act();
    }),
    send: send[name],
  });
}
