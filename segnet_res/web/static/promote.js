// Comparing and promoting in the Train tab: a candidate compared with what serves now.

export function start({ element }) {
  element.classList.add("sr-promote");
}
