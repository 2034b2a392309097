// The page's end of the worker that prepares masks, and bitmaps of pictures.

import { t } from "./texts.js";

let worker = null;
let last = 0;
const waiting = new Map();

// Resolves with what the task gives; rejects with a sentence.
// `moved`: buffers that the page needs no longer.
function ask(task, wanted, moved = []) {
  worker ??= started();
  const id = ++last;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, task, wanted }, moved);
  });
}

function started() {
  const made = new Worker(new URL("./masks-worker.js", import.meta.url), { type: "module" });
  made.onmessage = ({ data: { id, result, error } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error) reject(new Error(error));
    else resolve(result);
  };
  // It could not be loaded, or has died, most likely of too little memory.
  made.onerror = (event) => {
    event.preventDefault();
    worker = null;
    for (const { reject } of waiting.values()) reject(new Error(t("viewer.noWorker")));
    waiting.clear();
  };
  return made;
}

// Started with the page: the first picture need not wait for it.
export function prepare() {
  worker ??= started();
}

// {levels, truth, errors} of a mask and, where `truthUrl` is given, its reference.
export function loadLabels(url, truthUrl, background, ignore) {
  return ask("labels", { url, truthUrl, background, ignore });
}

// Levels of a map of values from 0 to 255, such as confidence.
export async function loadValues(url) {
  return (await ask("values", { url })).levels;
}

// Levels of a map of codes of which 0 means nothing.
export async function loadCodes(url) {
  return (await ask("codes", { url })).levels;
}

// Levels of a mask that is in the page already, {width, height, data}. It stays as it is.
export async function levelsOf(plane, empty) {
  const data = plane.data.slice();
  return (await ask("plane", { plane: { ...plane, data }, empty }, [data.buffer])).levels;
}

// A mask as a file (Blob): 8-bit grey PNG of its labels, as they are now.
export async function asFile(plane) {
  const data = plane.data.slice();
  const { file } = await ask("file", { plane: { ...plane, data } }, [data.buffer]);
  return new Blob([file], { type: "image/png" });
}

export async function loadBitmap(url) {
  const answer = await fetch(url, { credentials: "same-origin" });
  if (!answer.ok) throw new Error(t("viewer.expired"));
  return createImageBitmap(await answer.blob());
}

// What is loaded for the result on the screen. A file that the next result shares stays.
export class Files {
  #held = {};

  get(name) {
    return this.#held[name]?.value ?? null;
  }

  // Load {name: {key, load}}: `load` is called where `key` (an address) differs from what is held;
  // key null: nothing. Returns a batch for `take` or `drop`.
  async load(wanted) {
    const entries = Object.entries(wanted).map(async ([name, { key, load }]) => {
      const held = this.#held[name];
      if (held?.key === key && held.value) return [name, held];
      return [name, { key, value: key === null ? null : await load() }];
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  // Hold what a batch loaded; bitmaps that are no longer needed are freed.
  take(batch) {
    for (const [name, entry] of Object.entries(batch)) {
      if (this.#held[name] !== entry) this.#release(name);
      this.#held[name] = entry;
    }
  }

  // Free what a batch loaded in vain.
  drop(batch) {
    for (const [name, entry] of Object.entries(batch)) {
      if (this.#held[name] !== entry) entry.value?.close?.();
    }
  }

  // Load one file that nobody waits for. Resolves with whether it is there: false when another has
  // taken its place. A failure is told once and not tried again.
  later(name, key, load) {
    if (this.#held[name]?.key === key) return this.#held[name].ready;
    this.#release(name);
    const entry = { key, value: null };
    this.#held[name] = entry;
    entry.ready = load(key).then((value) => {
      const wanted = this.#held[name] === entry;
      if (wanted) entry.value = value;
      else value.close?.();
      return wanted;
    });
    return entry.ready;
  }

  // Let go of what was loaded from any other address.
  keep(name, key) {
    if (this.#held[name]?.key !== key) this.#release(name);
  }

  clear() {
    for (const name of Object.keys(this.#held)) this.#release(name);
  }

  #release(name) {
    this.#held[name]?.value?.close?.();
    delete this.#held[name];
  }
}
