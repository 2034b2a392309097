// Mouse, touch and keyboard of the viewer.

const STEP = 60;

// A finger that moves less than this means the place that it touches.
const TAP = 8;

const FIELDS = "input, select, textarea, button, a, summary, [contenteditable], [role=region][tabindex]";

export function listen(viewer) {
  pointers(viewer);
  zoomByWheel(viewer);
  viewer.canvas.addEventListener("dblclick", () => viewer.fit());
  document.addEventListener("keydown", (event) => pressed(viewer, event));
}

export function zoomByWheel(viewer) {
  viewer.canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const [x, y] = place(viewer, event);
    viewer.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), x, y);
  }, { passive: false });
}

// The window point of an event.
export function place(viewer, event) {
  const box = viewer.canvas.getBoundingClientRect();
  const density = viewer.canvas.width / box.width;
  return [(event.clientX - box.left) * density, (event.clientY - box.top) * density];
}

// One finger or the mouse pans, two fingers zoom, a tap tells what is there.
function pointers(viewer) {
  const { canvas } = viewer;
  const down = new Map();
  let travelled = 0;
  const spread = () => {
    const [a, b] = [...down.values()];
    return Math.hypot(a[0] - b[0], a[1] - b[1]);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(viewer, event));
    travelled = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(viewer, event);
    const last = down.get(event.pointerId);
    if (!last) return viewer.point(x, y);
    const [dx, dy] = [x - last[0], y - last[1]];
    // A click that trembles must not count as panning: the picture would no longer be fitted.
    travelled += Math.abs(dx) + Math.abs(dy);
    if (travelled < TAP / 2) return;
    if (down.size === 1) viewer.pan(dx, dy);
    const before = down.size === 2 ? spread() : 0;
    down.set(event.pointerId, [x, y]);
    if (before > 0) {
      const [a, b] = [...down.values()];
      viewer.zoom(spread() / before, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => {
      down.delete(event.pointerId);
      if (travelled < TAP && event.pointerType !== "mouse") viewer.point(...place(viewer, event));
    });
  }
  canvas.addEventListener("pointerleave", (event) => {
    // A finger leaves when it is lifted, and what it touched should stay to be read.
    if (event.pointerType === "mouse") viewer.point(null);
  });
}

function pressed(viewer, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  // Of linked viewers the first acts for all.
  if (viewer !== viewer.group[0] || !isSeen(viewer)) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const help = viewer.toolbar?.help;
  if (help?.open && key !== "?") return;
  if (isTaken(event.target, key)) return;
  const act = actions(viewer)[key];
  if (!act) return;
  event.preventDefault();
  act();
}

export function isSeen(viewer) {
  // Hidden on another tab: its keys are not ours.
  return Boolean(viewer.node.offsetParent) || Boolean(document.fullscreenElement?.contains(viewer.node));
}

// Whether a key belongs to the field that has the focus.
export function isTaken(target, key) {
  const field = target.closest?.(FIELDS);
  if (!field) return false;
  if (key === " " || key.startsWith("Arrow")) return true;
  if (key.startsWith("Page")) return field.matches("input, select, textarea, [contenteditable], [role=region]");
  return !field.matches("button, a, summary, [type=checkbox], [type=range], [role=region]");
}

function actions(viewer) {
  const modes = Object.fromEntries(viewer.views.map((id, i) => [String(i + 1), () => chosen(viewer, id)]));
  return {
    ...modes,
    " ": () => viewer.toggleMask(),
    "+": () => viewer.zoom(1.25),
    "=": () => viewer.zoom(1.25),
    "-": () => viewer.zoom(0.8),
    "0": () => viewer.fit(),
    z: () => viewer.actualSize(),
    f: () => viewer.fullScreen(),
    i: () => viewer.readout.toggleProbe(),
    "?": () => viewer.toolbar?.toggleHelp(),
    ArrowLeft: () => arrow(viewer, -1, 0),
    ArrowRight: () => arrow(viewer, 1, 0),
    ArrowUp: () => arrow(viewer, 0, -1),
    ArrowDown: () => arrow(viewer, 0, 1),
    PageUp: () => viewer.onStep?.(-1),
    PageDown: () => viewer.onStep?.(1),
  };
}

function chosen(viewer, id) {
  if (!viewer.toolbar?.buttons[id].disabled) viewer.setMode(id);
}

// A fitted picture has nowhere to go, so arrows lead to the next one, where there is one.
function arrow(viewer, right, down) {
  if (viewer.fitted && viewer.onStep?.(right + down)) return;
  viewer.pan(-right * STEP, -down * STEP);
}
