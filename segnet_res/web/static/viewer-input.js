// Mouse, touch and keyboard of the viewer.

const STEP = 60;

export function listen(viewer) {
  pointers(viewer);
  viewer.canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const [x, y] = place(viewer, event);
    viewer.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), x, y);
  }, { passive: false });
  viewer.canvas.addEventListener("dblclick", () => viewer.fit());
  document.addEventListener("keydown", (event) => pressed(viewer, event));
}

function place(viewer, event) {
  const box = viewer.canvas.getBoundingClientRect();
  const density = viewer.canvas.width / box.width;
  return [(event.clientX - box.left) * density, (event.clientY - box.top) * density];
}

// One finger or the mouse pans, two fingers zoom.
function pointers(viewer) {
  const { canvas } = viewer;
  const down = new Map();
  const spread = () => {
    const [a, b] = [...down.values()];
    return Math.hypot(a[0] - b[0], a[1] - b[1]);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(viewer, event));
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(viewer, event);
    const last = down.get(event.pointerId);
    if (!last) return viewer.point(x, y);
    if (down.size === 1) viewer.pan(x - last[0], y - last[1]);
    const before = down.size === 2 ? spread() : 0;
    down.set(event.pointerId, [x, y]);
    if (before > 0) {
      const [a, b] = [...down.values()];
      viewer.zoom(spread() / before, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => down.delete(event.pointerId));
  }
  canvas.addEventListener("pointerleave", () => { viewer.hover.hidden = true; });
}

function pressed(viewer, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  // Hidden on another tab: its keys are not ours.
  if (!viewer.node.offsetParent && document.fullscreenElement !== viewer.node) return;
  const field = event.target.closest?.("input, select, textarea, button, a, [contenteditable]");
  const moves = event.key === " " || event.key.startsWith("Arrow");
  if (field && (moves || !field.matches("button, a, [type=checkbox], [type=range]"))) return;
  const act = actions(viewer)[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function actions(viewer) {
  const modes = Object.fromEntries(
    Object.keys(viewer.buttons).map((mode, i) => [String(i + 1), () => viewer.setMode(mode)]),
  );
  return {
    ...modes,
    " ": () => viewer.toggleMask(),
    "+": () => viewer.zoom(1.25),
    "=": () => viewer.zoom(1.25),
    "-": () => viewer.zoom(0.8),
    "0": () => viewer.fit(),
    z: () => viewer.actualSize(),
    f: () => viewer.fullScreen(),
    ArrowLeft: () => viewer.pan(STEP, 0),
    ArrowRight: () => viewer.pan(-STEP, 0),
    ArrowUp: () => viewer.pan(0, STEP),
    ArrowDown: () => viewer.pan(0, -STEP),
  };
}
