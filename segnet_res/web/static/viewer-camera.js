// Zoom and position of a viewer, alone or linked with others that show the same picture.

// At least so many window pixels of the picture stay in the window: nobody should lose it.
const EDGE = 48;

// Needs of its subclass: `canvas` and `draw()`.
export class Camera {
  constructor() {
    // Window pixels per picture pixel, and where the picture's corner lies in the window.
    this.view = { scale: 1, x: 0, y: 0 };
    this.fitted = true;
    this.result = null;
    this.group = [this];
  }

  // One zoom, pan, view, opacity and pointer for this viewer and another.
  link(other) {
    const group = [...new Set([...this.group, ...other.group])];
    for (const viewer of group) viewer.group = group;
    other.#follow(this);
  }

  fit() {
    if (!this.result) return;
    this.view = this.#fitting();
    this.fitted = true;
    this.#moved();
  }

  // Zoom so that the picture's pixel at window point (x, y) stays there.
  zoom(factor, x = this.canvas.width / 2, y = this.canvas.height / 2) {
    if (!this.result) return;
    const fitting = this.#fitting().scale;
    const [least, most] = [Math.min(fitting, 1) / 4, Math.max(fitting, 64)];
    const scale = Math.min(Math.max(this.view.scale * factor, least), most);
    const ratio = scale / this.view.scale;
    this.view = {
      scale,
      x: x - (x - this.view.x) * ratio,
      y: y - (y - this.view.y) * ratio,
    };
    this.fitted = false;
    this.#moved();
  }

  // One picture pixel for one pixel of the screen.
  actualSize() {
    this.zoom(1 / this.view.scale);
  }

  pan(dx, dy) {
    if (!this.result) return;
    this.view = { ...this.view, x: this.view.x + dx, y: this.view.y + dy };
    this.fitted = false;
    this.#moved();
  }

  // Zoom to a box in pixels of the picture, with some room around it.
  lookAt({ x, y, width, height }) {
    if (!this.result) return;
    const room = 3;
    const close = Math.min(this.canvas.width / (width * room), this.canvas.height / (height * room));
    this.#centre(x + width / 2, y + height / 2, Math.max(Math.min(close, 16), this.#fitting().scale));
    this.fitted = false;
    this.#moved();
  }

  // The picture's [column, row] under window point (x, y), or null beside the picture.
  pixelAt(x, y) {
    const { width, height } = this.result.image;
    const column = Math.floor((x - this.view.x) / this.view.scale);
    const row = Math.floor((y - this.view.y) / this.view.scale);
    return column >= 0 && row >= 0 && column < width && row < height ? [column, row] : null;
  }

  // The window point of the middle of a pixel.
  placeOf([column, row]) {
    const { scale, x, y } = this.view;
    return [x + (column + 0.5) * scale, y + (row + 0.5) * scale];
  }

  // Another size of window: what was in the middle stays there.
  resize(width, height) {
    const middle = this.result && this.#middle();
    this.canvas.width = width;
    this.canvas.height = height;
    if (!this.result) return;
    if (this.fitted) this.view = this.#fitting();
    else this.#centre(...middle, this.view.scale);
  }

  #fitting() {
    const { width, height } = this.result.image;
    const scale = Math.min(this.canvas.width / width, this.canvas.height / height);
    return {
      scale,
      x: (this.canvas.width - width * scale) / 2,
      y: (this.canvas.height - height * scale) / 2,
    };
  }

  #middle() {
    const { scale, x, y } = this.view;
    return [(this.canvas.width / 2 - x) / scale, (this.canvas.height / 2 - y) / scale];
  }

  #centre(column, row, scale) {
    this.view = {
      scale, x: this.canvas.width / 2 - column * scale, y: this.canvas.height / 2 - row * scale,
    };
  }

  #moved() {
    const { scale, x, y } = this.view;
    const { width, height } = this.result.image;
    const within = (place, size, window) =>
      Math.min(Math.max(place, Math.min(0, EDGE - size)), Math.max(window - EDGE, window - size));
    this.view = {
      scale, x: within(x, width * scale, this.canvas.width), y: within(y, height * scale, this.canvas.height),
    };
    this.draw();
    for (const other of this.group) if (other !== this) other.#follow(this);
  }

  #follow(leader) {
    if (!this.result || !leader.result) return;
    this.fitted = leader.fitted;
    if (leader.fitted) {
      this.view = this.#fitting();
    } else {
      // Windows of different sizes show the same part of the picture.
      const ratio = this.#fitting().scale / leader.#fitting().scale;
      this.#centre(...leader.#middle(), leader.view.scale * ratio);
    }
    this.draw();
  }
}
