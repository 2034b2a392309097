// The regions that the model proposed, and what somebody has said to each of them. A region is what
// touches by sides or corners under one label, as the regions that Inspect counts.

export class Regions {
  // plane: {width, height, data} of the model's labels; no region has a label of `plain` (background
  // and ignore)
  constructor(plane, plain) {
    this.plane = plane;
    this.#find(plain);
    this.accepted = new Uint8Array(this.count);
    // Pixels of each region that have another label now.
    this.differing = new Float64Array(this.count);
    this.outlines = new Map();
  }

  // Compare with the labels that are opened.
  compare(labels) {
    for (let run = 0; run < this.ids.length; run++) {
      const label = this.plane.data[this.starts[run]];
      for (let i = this.starts[run]; i < this.ends[run]; i++) {
        if (labels[i] !== label) this.differing[this.ids[run]]++;
      }
    }
  }

  // Follow a step (see `Changes`), or its way back. Returns whether the outlines are others now.
  follow(changes, back) {
    let redraw = false;
    changes.each((start, end, before, after) => {
      const [from, to] = back ? [after, before] : [before, after];
      for (let run = this.#firstRun(start, end); run < this.ids.length && this.starts[run] < end; run++) {
        const label = this.plane.data[this.starts[run]];
        const id = this.ids[run];
        const pixels = Math.min(end, this.ends[run]) - Math.max(start, this.starts[run]);
        const outlined = this.isOutlined(id);
        this.differing[id] += pixels * ((to !== label) - (from !== label));
        redraw ||= outlined !== this.isOutlined(id);
      }
    });
    return redraw;
  }

  // The region at a pixel, or null.
  at(column, row) {
    const place = row * this.plane.width + column;
    const run = this.#firstRun(place, place + 1);
    return run < this.ids.length && this.starts[run] <= place ? this.ids[run] : null;
  }

  isReviewed(id) {
    return this.accepted[id] === 1 || this.differing[id] > 0;
  }

  // Accepted, and still as it was proposed.
  isOutlined(id) {
    return this.accepted[id] === 1 && this.differing[id] === 0;
  }

  // Those that nobody has accepted, changed or deleted.
  get left() {
    return [...this.accepted.keys()].filter((id) => !this.isReviewed(id));
  }

  accept(ids, accepted) {
    for (const id of ids) this.accepted[id] = accepted ? 1 : 0;
  }

  // {path, middle} of a region in pixels of the picture: its border, and a place within it.
  outline(id) {
    if (!this.outlines.has(id)) this.outlines.set(id, this.#outline(id));
    return this.outlines.get(id);
  }

  // The first run that ends behind a place. `end` is the end of what is looked for.
  #firstRun(start, end) {
    const row = Math.floor(start / this.plane.width);
    let [low, high] = [this.rows[row], this.rows[Math.floor((end - 1) / this.plane.width) + 1]];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ends[middle] <= start) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // The runs of all rows, numbered by the region that they belong to.
  #find(plain) {
    const { width, height, data } = this.plane;
    const [starts, ends, parents] = [[], [], []];
    this.rows = new Uint32Array(height + 1);
    for (let y = 0; y < height; y++) {
      const above = y > 0 ? this.rows[y - 1] : 0;
      const here = this.rows[y] = starts.length;
      for (let i = y * width; i < (y + 1) * width;) {
        const start = i;
        const label = data[i];
        while (i < (y + 1) * width && data[i] === label) i++;
        if (plain.includes(label)) continue;
        parents.push(starts.length);
        starts.push(start);
        ends.push(i);
      }
      join(data, width, { starts, ends, parents }, above, here);
    }
    this.rows[height] = starts.length;
    this.starts = Uint32Array.from(starts);
    this.ends = Uint32Array.from(ends);
    this.#number(parents);
  }

  // Numbers from 0 in reading order, and a box for each region.
  #number(parents) {
    const { width } = this.plane;
    const numbers = new Map();
    this.ids = new Uint32Array(parents.length);
    this.boxes = [];
    for (let run = 0; run < parents.length; run++) {
      const root = rootOf(parents, run);
      if (!numbers.has(root)) numbers.set(root, numbers.size);
      const id = this.ids[run] = numbers.get(root);
      const y = Math.floor(this.starts[run] / width);
      const [left, right] = [this.starts[run] - y * width, this.ends[run] - y * width];
      const box = this.boxes[id] ??= { left, top: y, right, bottom: y + 1 };
      box.left = Math.min(box.left, left);
      box.right = Math.max(box.right, right);
      box.bottom = y + 1;
    }
    this.count = this.boxes.length;
  }

  #outline(id) {
    const path = new Path2D();
    const box = this.boxes[id];
    let [above, longest, middle] = [[], 0, [0, 0]];
    const line = (x1, y1, x2, y2) => {
      path.moveTo(x1, y1);
      path.lineTo(x2, y2);
    };
    for (let y = box.top; y <= box.bottom; y++) {
      const here = y < box.bottom ? this.#ends(id, y) : [];
      for (let i = 0; i < here.length; i += 2) {
        line(here[i], y, here[i], y + 1);
        line(here[i + 1], y, here[i + 1], y + 1);
        if (here[i + 1] - here[i] <= longest) continue;
        longest = here[i + 1] - here[i];
        middle = [(here[i] + here[i + 1]) / 2, y + 0.5];
      }
      // Where only one of two rows belongs to the region, a border lies between them.
      const both = [...above, ...here].sort((a, b) => a - b);
      for (let i = 0; i < both.length; i += 2) {
        if (both[i] < both[i + 1]) line(both[i], y, both[i + 1], y);
      }
      above = here;
    }
    return { path, middle };
  }

  // The columns where a region begins and ends in a row.
  #ends(id, y) {
    const found = [];
    const start = y * this.plane.width;
    for (let run = this.rows[y]; run < this.rows[y + 1]; run++) {
      if (this.ids[run] === id) found.push(this.starts[run] - start, this.ends[run] - start);
    }
    return found;
  }
}

// Join the runs of a row with those of the row above that they touch.
function join(data, width, { starts, ends, parents }, above, here) {
  let upper = above;
  for (let run = here; run < starts.length; run++) {
    // Runs that end before this one's corner touch none of those that follow either.
    while (upper < here && ends[upper] + width < starts[run]) upper++;
    for (let other = upper; other < here && starts[other] + width <= ends[run]; other++) {
      if (data[starts[other]] !== data[starts[run]]) continue;
      const [a, b] = [rootOf(parents, other), rootOf(parents, run)];
      parents[Math.max(a, b)] = Math.min(a, b);
    }
  }
}

function rootOf(parents, run) {
  let root = run;
  while (parents[root] !== root) root = parents[root] = parents[parents[root]];
  return root;
}
