// Finds the buttons of the page's tabs for scripts that lead from one to another.

// The button that shows a tab, or null where the page has no such tab. Gradio puts tabs that do not
// fit into a menu, where they have no id.
export function tabButton(id, label) {
  return document.getElementById(`sr-tab-${id}-button`)
    ?? [...document.querySelectorAll("#sr-tabs .overflow-dropdown button")]
      .find((button) => button.textContent.trim() === label) ?? null;
}
