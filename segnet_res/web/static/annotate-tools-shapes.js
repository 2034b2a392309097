// Which pixels a tool covers. Every shape calls `span(row, first, last)` with both ends included and
// inside the picture. Places are pixels of the picture: the middle of the first one is (0.5, 0.5).

// Where a brush `size` pixels wide is put down, in half pixels: its middle lies in the middle of a
// pixel when the width is odd, else where four meet. So a brush of 1 covers the pixel under the pointer.
export function brushAt(x, y, size) {
  return [x, y].map((value) => (size % 2 ? 2 * Math.floor(value) + 1 : 2 * Math.round(value)));
}

// The way of a brush from one place to the next, in half pixels: every pixel whose middle is within
// half the width of the line between them.
export function stroke(from, to, size, { width, height }, span) {
  // Coordinates and sizes are doubled, so that the middles of pixels are whole numbers.
  const [ax, ay] = from;
  const [dx, dy] = [to[0] - ax, to[1] - ay];
  const length = dx * dx + dy * dy;
  const covers = (column, y) => {
    const [px, py] = [2 * column + 1 - ax, y - ay];
    const along = px * dx + py * dy;
    if (along <= 0 || length === 0) return px * px + py * py <= size * size;
    if (along >= length) return (px - dx) ** 2 + (py - dy) ** 2 <= size * size;
    return (px * dy - py * dx) ** 2 <= size * size * length;
  };
  const first = Math.max(0, Math.floor((Math.min(ay, to[1]) - size) / 2));
  const last = Math.min(height - 1, Math.ceil((Math.max(ay, to[1]) + size) / 2));
  for (let row = first; row <= last; row++) {
    const y = 2 * row + 1;
    const reach = reachOf(from, to, size, y);
    if (!reach) continue;
    // The ends may be a rounding beside the truth, which `covers` tells.
    let left = Math.ceil((reach[0] - 1) / 2);
    let right = Math.floor((reach[1] - 1) / 2);
    while (covers(left - 1, y)) left--;
    while (left <= right && !covers(left, y)) left++;
    while (covers(right + 1, y)) right++;
    while (left <= right && !covers(right, y)) right--;
    left = Math.max(left, 0);
    right = Math.min(right, width - 1);
    if (left <= right) span(row, left, right);
  }
}

// From where to where the way of a brush lies in a row, or null.
function reachOf([ax, ay], [bx, by], size, y) {
  const found = [];
  for (const [cx, cy] of [[ax, ay], [bx, by]]) {
    if (Math.abs(y - cy) > size) continue;
    const half = Math.sqrt(size * size - (y - cy) ** 2);
    found.push(cx - half, cx + half);
  }
  const length = Math.hypot(bx - ax, by - ay);
  if (length > 0) {
    // Between the two discs the way is a rectangle.
    const [nx, ny] = [(-(by - ay) / length) * size, ((bx - ax) / length) * size];
    const corners = [[ax + nx, ay + ny], [bx + nx, by + ny], [bx - nx, by - ny], [ax - nx, ay - ny]];
    found.push(...crossings(corners, y));
  }
  return found.length ? [Math.min(...found), Math.max(...found)] : null;
}

// The pixels whose middles lie within a polygon of [x, y] corners; where it crosses itself, those
// that are within it an odd number of times.
export function polygon(corners, { width, height }, span) {
  const rows = corners.map(([, y]) => y);
  const first = Math.max(0, Math.floor(Math.min(...rows) - 0.5));
  const last = Math.min(height - 1, Math.ceil(Math.max(...rows)));
  for (let row = first; row <= last; row++) {
    const ends = crossings(corners, row + 0.5).sort((a, b) => a - b);
    for (let i = 0; i + 1 < ends.length; i += 2) {
      const left = Math.max(0, Math.ceil(ends[i] - 0.5));
      const right = Math.min(width - 1, Math.ceil(ends[i + 1] - 0.5) - 1);
      if (left <= right) span(row, left, right);
    }
  }
}

// Where the sides of a polygon cross a row. A side has its upper end and not its lower one, so that
// a corner counts once.
function crossings(corners, y) {
  const found = [];
  corners.forEach(([x1, y1], i) => {
    const [x2, y2] = corners[(i + 1) % corners.length];
    if ((y1 <= y) !== (y2 <= y)) found.push(x1 + ((y - y1) * (x2 - x1)) / (y2 - y1));
  });
  return found;
}

// The region of one label around a pixel. `span` has to write another label there: that is how a
// pixel is known to be done. `corners`: whether pixels that touch at a corner belong together.
export function flood({ width, height, data }, column, row, corners, span) {
  const label = data[row * width + column];
  const reach = corners ? 1 : 0;
  const waiting = [column, row];
  while (waiting.length) {
    const y = waiting.pop();
    const x = waiting.pop();
    const start = y * width;
    if (data[start + x] !== label) continue;
    let [left, right] = [x, x];
    while (left > 0 && data[start + left - 1] === label) left--;
    while (right < width - 1 && data[start + right + 1] === label) right++;
    span(y, left, right);
    const [from, to] = [Math.max(0, left - reach), Math.min(width - 1, right + reach)];
    for (const next of [y - 1, y + 1]) {
      if (next < 0 || next >= height) continue;
      let within = false;
      for (let i = from; i <= to; i++) {
        const same = data[next * width + i] === label;
        if (same && !within) waiting.push(i, next);
        within = same;
      }
    }
  }
}
