// Mouse, touch and keyboard of the editor.

import { isSeen, isTaken, place, zoomByWheel } from "./viewer-input.js";

const STEP = 60;

export const TOOL_KEYS = {
  brush: "b", eraser: "e", polygon: "p", fill: "g", accept: "a", delete: "d", hand: "h",
};

export function listenFor(editor) {
  return (viewer) => {
    pointers(viewer, editor);
    zoomByWheel(viewer);
    document.addEventListener("keydown", (event) => pressed(viewer, editor, event));
    document.addEventListener("keyup", (event) => { if (event.key === " ") editor.hold(false); });
    window.addEventListener("blur", () => editor.hold(false));
  };
}

// One finger or the mouse works with the tool; the middle button, the hand, or any button while
// Space is held pans; two fingers zoom and pan.
function pointers(viewer, editor) {
  const { canvas } = viewer;
  const down = new Map();
  let doing = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 1 || !editor.ready) return;
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(viewer, event));
    if (down.size > 1) {
      if (doing === "tool") editor.cancel();
      doing = "pinch";
      return;
    }
    doing = event.button === 1 || editor.panning ? "pan" : "tool";
    if (doing === "tool") editor.press(place(viewer, event), event.shiftKey);
  });
  canvas.addEventListener("pointermove", (event) => {
    const here = place(viewer, event);
    const last = down.get(event.pointerId);
    if (last && doing === "pinch") return pinch(viewer, down, event.pointerId, here);
    if (last) down.set(event.pointerId, here);
    if (last && doing === "pan") viewer.pan(here[0] - last[0], here[1] - last[1]);
    // Between two frames a hand has been at several places.
    const places = (event.getCoalescedEvents?.() ?? []).map((one) => place(viewer, one));
    editor.point(here, doing === "pan" ? [] : [...places, here]);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!down.delete(event.pointerId)) return;
    if (doing === "tool") editor.release(place(viewer, event));
    if (down.size === 0) doing = null;
  });
  canvas.addEventListener("pointercancel", (event) => {
    if (!down.delete(event.pointerId)) return;
    if (doing === "tool") editor.cancel();
    if (down.size === 0) doing = null;
  });
  canvas.addEventListener("pointerleave", () => editor.point(null, []));
  canvas.addEventListener("dblclick", () => editor.double());
  // Else the middle button starts to scroll the page.
  canvas.addEventListener("mousedown", (event) => { if (event.button === 1) event.preventDefault(); });
}

function pinch(viewer, down, id, here) {
  const before = [...down.values()];
  down.set(id, here);
  const after = [...down.values()];
  const [was, is] = [middle(before), middle(after)];
  viewer.pan(is[0] - was[0], is[1] - was[1]);
  if (after.length > 1 && spread(before) > 0) viewer.zoom(spread(after) / spread(before), ...is);
}

function middle(points) {
  return [0, 1].map((i) => points.reduce((sum, point) => sum + point[i], 0) / points.length);
}

function spread([a, b]) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

function pressed(viewer, editor, event) {
  if (event.defaultPrevented || !editor.ready || !isSeen(viewer)) return;
  // Whoever uses the editor may hold it still, while a mask is saved say.
  if (viewer.node.closest("[inert]")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const dialog = document.querySelector("dialog[open]");
  if (dialog && !(dialog === viewer.toolbar.help && key === "?")) return;
  const act = isCommand(event) ? command(editor, event, key) : plain(viewer, editor, event, key);
  if (!act) return;
  event.preventDefault();
  act();
}

// Brackets need the right Alt key on many keyboards, which browsers also call Ctrl and Alt.
function isCommand(event) {
  return (event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph");
}

function command(editor, event, key) {
  if (event.altKey || isTaken(event.target, key)) return null;
  if (key === "z") return event.shiftKey ? () => editor.redo() : () => editor.undo();
  return key === "y" ? () => editor.redo() : null;
}

function plain(viewer, editor, event, key) {
  const onField = event.target !== viewer.canvas && event.target !== document.body;
  if (isTaken(event.target, key) || (key === "Enter" && onField)) return null;
  if (key >= "1" && key <= "9") return () => editor.chooseNumber(Number(key));
  const tool = Object.keys(TOOL_KEYS).find((id) => TOOL_KEYS[id] === key);
  if (tool) return () => editor.setTool(tool);
  if (["Backspace", "Escape", "Enter"].includes(key)) return special(viewer, editor, event, key);
  return actions(viewer, editor, event.shiftKey ? viewer.view.scale : STEP)[key];
}

function special(viewer, editor, event, key) {
  if (key === "Enter" && viewer.readout.probing) return () => editor.pressAtProbe(event.shiftKey);
  // What means nothing stays the browser's: Escape ends full screen.
  return editor.toolKey(key) ? () => {} : null;
}

function actions(viewer, editor, step) {
  return {
    " ": () => editor.hold(true),
    "0": () => editor.setClass(editor.ignore),
    x: () => editor.setClass(editor.ignore),
    "[": () => editor.resizeBrush(-1),
    "]": () => editor.resizeBrush(1),
    n: () => editor.nextRegion(),
    v: () => editor.nextView(),
    m: () => viewer.toggleMask(),
    "+": () => viewer.zoom(1.25),
    "=": () => viewer.zoom(1.25),
    "-": () => viewer.zoom(0.8),
    Home: () => viewer.fit(),
    z: () => viewer.actualSize(),
    f: () => viewer.fullScreen(),
    i: () => editor.toggleProbe(),
    "?": () => viewer.toolbar.toggleHelp(),
    Delete: () => { if (!editor.toolKey("Backspace")) editor.setTool("delete"); },
    ArrowLeft: () => viewer.pan(step, 0),
    ArrowRight: () => viewer.pan(-step, 0),
    ArrowUp: () => viewer.pan(0, step),
    ArrowDown: () => viewer.pan(0, -step),
    PageUp: () => viewer.onStep?.(-1),
    PageDown: () => viewer.onStep?.(1),
  };
}
