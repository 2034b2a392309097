// What can be taken back and made again.

const MOST_STEPS = 500;

// All steps together take no more than this, or than the newest of them alone. A stroke takes ten
// bytes for each row and label that it crosses, some kilobytes.
const MOST_BYTES = 128e6;

export class History {
  constructor({ steps = MOST_STEPS, bytes = MOST_BYTES } = {}) {
    this.most = { steps, bytes };
    this.clear();
  }

  clear() {
    this.steps = [];
    // So many of them are in force; the others were taken back.
    this.done = 0;
    this.bytes = 0;
    // Names the mask: the same number means the same labels.
    this.first = this.last = 0;
  }

  get canUndo() {
    return this.done > 0;
  }

  get canRedo() {
    return this.done < this.steps.length;
  }

  // Which mask this is: two moments of one number have the same labels.
  get version() {
    return this.done > 0 ? this.steps[this.done - 1].version : this.first;
  }

  // step: {changes} of the mask, or {accepted} regions
  add(step) {
    for (const dropped of this.steps.splice(this.done)) this.bytes -= sizeOf(dropped);
    const version = step.changes ? ++this.last : this.version;
    this.steps.push({ ...step, version });
    this.bytes += sizeOf(step);
    this.done++;
    while (this.steps.length > 1 && (this.steps.length > this.most.steps || this.bytes > this.most.bytes)) {
      const oldest = this.steps.shift();
      this.bytes -= sizeOf(oldest);
      this.first = oldest.version;
      this.done--;
    }
  }

  // The step to take back, or null.
  undo() {
    return this.canUndo ? this.steps[--this.done] : null;
  }

  // The step to make again, or null.
  redo() {
    return this.canRedo ? this.steps[this.done++] : null;
  }
}

function sizeOf(step) {
  return step.changes ? step.changes.bytes : 8 * step.accepted.length;
}
