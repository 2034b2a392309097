// The Train tab: a checkpoint retrained on new masks.

export function start({ element }) {
  element.classList.add("sr-train");
}
