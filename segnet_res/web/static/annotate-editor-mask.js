// The mask that is being edited: its labels, what has changed in them, and the coarser levels for
// drawing.

import { refresh } from "./labels.js";

// No label has this value, so every pixel counts as filled.
const NO_LABEL = -1;

export class Mask {
  // levels: from fine to coarse, as `pyramid` makes them with `background` (null: none) as empty
  constructor(levels, background) {
    this.levels = levels;
    this.empty = background ?? NO_LABEL;
    [this.plane] = levels;
    this.opened = this.plane.data.slice();
    // As it was before the step that is being made; elsewhere the same as the labels.
    this.before = this.plane.data.slice();
    this.pixels = new Float64Array(256);
    for (let i = 0; i < this.opened.length; i++) this.pixels[this.opened[i]]++;
    // Pixels that differ from what was opened.
    this.changed = 0;
    this.step = null;
    this.fresh = null;
  }

  get labels() {
    return this.plane.data;
  }

  at(column, row) {
    return this.plane.data[row * this.plane.width + column];
  }

  // Write a label from `first` to `last` in a row.
  write(row, first, last, label) {
    const start = row * this.plane.width;
    this.plane.data.fill(label, start + first, start + last + 1);
    const box = { x: first, y: row, width: last - first + 1, height: 1 };
    this.step = union(this.step, box);
    this.fresh = union(this.fresh, box);
  }

  // Bring the coarser levels up to date. Returns the box that has changed since the last time, or
  // null.
  settle() {
    const box = this.fresh;
    this.fresh = null;
    if (box) refresh(this.levels, this.empty, box);
    return box;
  }

  // End a step. Returns its changes (see `Changes`), or null where no pixel has another label.
  commit() {
    const box = this.step;
    this.step = null;
    if (!box) return null;
    const changes = changesWithin(box, this.plane.width, this.before, this.plane.data);
    if (!changes) return null;
    changes.each((start, end, before, after) => {
      this.before.fill(after, start, end);
      this.#count(start, end, before, after);
    });
    return changes;
  }

  // Take back the step that is being made.
  revert() {
    const box = this.step;
    this.step = null;
    if (!box) return;
    const { width, data } = this.plane;
    for (let y = box.y; y < box.y + box.height; y++) {
      const start = y * width + box.x;
      data.set(this.before.subarray(start, start + box.width), start);
    }
    this.fresh = union(this.fresh, box);
  }

  // Take changes back, or make them again.
  apply(changes, back) {
    changes.each((start, end, before, after) => {
      const [from, to] = back ? [after, before] : [before, after];
      this.plane.data.fill(to, start, end);
      this.before.fill(to, start, end);
      this.#count(start, end, from, to);
    });
    this.fresh = union(this.fresh, changes.box);
  }

  #count(start, end, from, to) {
    this.pixels[from] -= end - start;
    this.pixels[to] += end - start;
    for (let i = start; i < end; i++) {
      if (this.opened[i] === from) this.changed++;
      else if (this.opened[i] === to) this.changed--;
    }
  }
}

// Pixels that a step has changed, as runs: of one row, one label before and one after.
class Changes {
  constructor(box, count) {
    this.box = box;
    this.starts = new Uint32Array(count);
    this.lengths = new Uint32Array(count);
    this.before = new Uint8Array(count);
    this.after = new Uint8Array(count);
  }

  get bytes() {
    return 10 * this.starts.length;
  }

  // act(start, end, before, after) with places in the plane's data, `end` not included.
  each(act) {
    for (let i = 0; i < this.starts.length; i++) {
      act(this.starts[i], this.starts[i] + this.lengths[i], this.before[i], this.after[i]);
    }
  }
}

function changesWithin(box, width, before, after) {
  let count = 0;
  runs(box, width, before, after, () => { count++; });
  if (count === 0) return null;
  const changes = new Changes(box, count);
  let i = 0;
  runs(box, width, before, after, (start, end) => {
    changes.starts[i] = start;
    changes.lengths[i] = end - start;
    changes.before[i] = before[start];
    changes.after[i] = after[start];
    i++;
  });
  return changes;
}

function runs(box, width, before, after, act) {
  for (let y = box.y; y < box.y + box.height; y++) {
    const end = y * width + box.x + box.width;
    for (let i = y * width + box.x; i < end;) {
      const [was, is] = [before[i], after[i]];
      if (was === is) {
        i++;
        continue;
      }
      const start = i;
      while (i < end && before[i] === was && after[i] === is) i++;
      act(start, i);
    }
  }
}

// The smallest box around two; null stands for none.
export function union(a, b) {
  if (!a || !b) return a ?? b;
  const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  return {
    x, y,
    width: Math.max(a.x + a.width, b.x + b.width) - x,
    height: Math.max(a.y + a.height, b.y + b.height) - y,
  };
}
