// The tools of the editor: what pressing, dragging and letting go does to the mask. Points are
// [x, y] in pixels of the picture, with fractions.

import { brushAt, flood, polygon, stroke } from "./annotate-tools-shapes.js";

// So close to its first corner (pixels of the screen) a click closes a polygon.
const NEAR = 8;

// In the order of their buttons. `desk` is what they work on, see `Editor`.
//   down(point, straight), move(points), up(point)   a press, and its end
//   double()    the last two presses were a double click
//   cancel()    the press was none: a second finger came, or Escape
//   key(name)   Enter, Backspace or Escape; returns whether it meant something
//   leave()     another tool is chosen
//   forget()    another picture is opened
export function makeTools(desk) {
  return {
    brush: new Brush(desk, () => desk.label),
    eraser: new Brush(desk, () => desk.emptyLabel),
    polygon: new Polygon(desk),
    fill: new Click(desk, (column, row) => paintRegion(desk, column, row, false, desk.label)),
    accept: new Click(desk, (column, row) => desk.accept(column, row)),
    delete: new Click(desk, (column, row) => paintRegion(desk, column, row, true, desk.emptyLabel)),
    hand: new Tool(desk),
  };
}

class Tool {
  constructor(desk) {
    this.desk = desk;
  }

  down() {}
  move() {}
  up() {}
  double() {}
  cancel() {}
  leave() {}
  forget() {}

  key() {
    return false;
  }
}

class Brush extends Tool {
  constructor(desk, label) {
    super(desk);
    this.label = label;
    this.pressed = false;
  }

  // `straight`: a line from where the last stroke ended.
  down(point, straight) {
    this.pressed = true;
    this.paint = this.label();
    const here = this.#place(point);
    this.#paint(straight && this.last ? this.last : here, here);
  }

  move(points) {
    if (!this.pressed) return;
    for (const point of points) this.#paint(this.last, this.#place(point));
  }

  up() {
    if (!this.pressed) return;
    this.pressed = false;
    this.desk.commit();
  }

  cancel() {
    if (!this.pressed) return;
    this.pressed = false;
    this.last = null;
    this.desk.revert();
  }

  // What is painted stays when a key chooses another tool meanwhile.
  leave() {
    this.up();
  }

  forget() {
    this.last = null;
  }

  key(name) {
    if (name !== "Escape" || !this.pressed) return false;
    this.cancel();
    return true;
  }

  #place([x, y]) {
    return brushAt(x, y, this.desk.size);
  }

  #paint(from, to) {
    const { desk, paint } = this;
    stroke(from, to, desk.size, desk.mask.plane,
      (row, first, last) => desk.mask.write(row, first, last, paint));
    desk.settle();
    this.last = to;
  }
}

class Polygon extends Tool {
  constructor(desk) {
    super(desk);
    this.corners = [];
  }

  // A corner is set where the button is let go: two fingers that zoom set none.
  up(point) {
    const { corners } = this;
    const again = corners.at(-1)?.every((value, i) => value === point[i]);
    if (again || (corners.length > 2 && this.#isNear(point, corners[0]))) return this.#close();
    corners.push(point);
    this.desk.drawShape();
  }

  // The second of the two clicks trembled, and has set a corner beside that of the first.
  double() {
    if (this.corners.length === 0) return;
    this.#takeBack();
    if (this.corners.length > 0) this.#close();
  }

  move(points) {
    this.desk.drawShape(points.at(-1));
  }

  // Many corners are much work: another tool leaves them as they are.
  forget() {
    this.corners = [];
    this.desk.drawShape();
  }

  key(name) {
    if (this.corners.length === 0) return false;
    if (name === "Enter") this.#close();
    else if (name === "Escape") this.forget();
    else this.#takeBack();
    return true;
  }

  #takeBack() {
    this.corners.pop();
    this.desk.drawShape();
  }

  #close() {
    const { desk, corners } = this;
    if (corners.length < 3) return desk.tell("threeCorners");
    const { label } = desk;
    polygon(corners, desk.mask.plane, (row, first, last) => desk.mask.write(row, first, last, label));
    this.forget();
    desk.settle();
    desk.commit();
  }

  #isNear([x, y], [column, row]) {
    return Math.hypot(x - column, y - row) * this.desk.scale <= NEAR;
  }
}

// Acts on the pixel where the button is let go.
class Click extends Tool {
  constructor(desk, act) {
    super(desk);
    this.act = act;
  }

  up([x, y]) {
    const [column, row] = [Math.floor(x), Math.floor(y)];
    const { width, height } = this.desk.mask.plane;
    if (column >= 0 && row >= 0 && column < width && row < height) this.act(column, row);
  }
}

// `corners`: whether pixels that touch at a corner are one region.
function paintRegion(desk, column, row, corners, label) {
  if (desk.mask.at(column, row) === label) {
    return desk.tell(label === desk.emptyLabel ? "noRegion" : "sameClass");
  }
  flood(desk.mask.plane, column, row, corners,
    (y, first, last) => desk.mask.write(y, first, last, label));
  desk.settle();
  desk.commit();
}
