// A picture of the film strip, from its file to its result.

let count = 0;

export class Entry {
  // source: what the server finds the picture by, or null for a `file` that is not uploaded yet.
  // reference: null, {kind: "own"}, {kind: "upload", path, name}, or {file, name} before its upload.
  // lazy: whether it is inspected only when somebody comes to it.
  // sliders: {threshold, min_region} of the tab that it comes from, or null.
  constructor({ source = null, file = null, name, reference = null, lazy = false, sliders = null }) {
    Object.assign(this, { source, file, name, reference, lazy, sliders });
    this.id = ++count;
    this.results = new Map(); // name of a checkpoint -> {reply, key}
    this.failed = null; // {model, sentence}
    this.notice = null; // why the reference could not be taken
    this.working = false;
    this.sentAgain = false;
    this.uploading = null;
  }

  // What a dropped file is known by, so that the same file does not come twice.
  static keyOf(file) {
    return `${file.name} ${file.size} ${file.lastModified}`;
  }

  get key() {
    return this.file ? Entry.keyOf(this.file) : JSON.stringify(this.source);
  }

  result(model) {
    return this.results.get(model)?.reply ?? null;
  }

  // Uploads expire on the server, while the browser still has the file.
  sendAgain() {
    this.source = null;
    this.sentAgain = true;
  }

  setReference(reference) {
    this.reference = reference;
    this.notice = null;
  }

  // Whether the model has not seen the picture yet.
  isOpen(model) {
    return !this.results.has(model) && this.failed?.model !== model;
  }

  // What a result depends on besides picture and model: limits, sliders, reference.
  state(judgement) {
    const { reference } = this;
    const mask = reference && [reference.kind, reference.path, reference.file && Entry.keyOf(reference.file)];
    return JSON.stringify([judgement, mask]);
  }

  isStale(model, judgement) {
    const known = this.results.get(model);
    return known !== undefined && known.key !== this.state(judgement);
  }

  // The state that the film strip shows.
  shown(model) {
    if (this.working) return "working";
    if (this.failed?.model === model) return "failed";
    return this.result(model)?.verdict.state ?? "waiting";
  }

  // Upload what is not uploaded yet, once. `upload(file)` resolves with the server's path.
  uploaded(upload) {
    this.uploading ??= this.#upload(upload).finally(() => {
      this.uploading = null;
    });
    return this.uploading;
  }

  async #upload(upload) {
    if (!this.source) {
      this.source = { kind: "upload", path: await upload(this.file), name: this.file.name };
    }
    const { reference } = this;
    if (!reference?.file || reference.path) return;
    try {
      reference.path = await upload(reference.file);
      reference.kind = "upload";
    } catch (error) {
      // The picture can be inspected without.
      if (this.reference === reference) {
        this.reference = null;
        this.notice = error.message;
      }
      throw Object.assign(error, { reference });
    }
  }

  // What the server takes as reference.
  wantedReference() {
    const { reference } = this;
    if (!reference) return null;
    return reference.kind === "own" ? { kind: "own" } : { kind: "upload", path: reference.path };
  }
}
