// Leads from tab to tab, and keeps the address at the one that is shown (`#annotate`): a reload stays
// there, Back returns to the one before, and a link to a tab can be sent.

// What a page without a tab in its address shows.
const FIRST = "inspect";

// The button that shows a tab, or null where the page has no such tab. Gradio puts tabs that do not
// fit into a menu, where they have no id.
export function tabButton(id) {
  return document.getElementById(`sr-tab-${id}-button`)
    ?? [...document.querySelectorAll("#sr-tabs .overflow-dropdown button")]
      .find((button) => button.textContent.trim().toLowerCase() === id) ?? null;
}

export function openTab(id) {
  tabButton(id)?.click();
}

export function followAddress() {
  const tabs = document.getElementById("sr-tabs");
  // Gradio builds the page piece by piece.
  if (!tabs || !tabButton(FIRST) || !shown()) return requestAnimationFrame(followAddress);
  const turn = () => {
    if (wanted() !== shown()) openTab(wanted());
  };
  const tell = () => {
    const id = shown();
    if (id && id !== wanted()) history.pushState(history.state, "", `#${id}`);
  };
  // Clicks, keys and other scripts open tabs; all of them change panels, which Gradio adds late.
  const observer = new MutationObserver(() => {
    watch();
    tell();
  });
  const watch = () => {
    observer.observe(tabs, { childList: true });
    for (const panel of panels()) observer.observe(panel, { attributeFilter: ["style"] });
  };
  watch();
  // Without a tab in the address somebody may have chosen one before this script came.
  if (location.hash) turn();
  else tell();
  window.addEventListener("popstate", turn);
}

function panels() {
  return [...document.querySelectorAll("#sr-tabs > [role=tabpanel]")];
}

function wanted() {
  return location.hash.slice(1) || FIRST;
}

// The id of the tab in view; null while Gradio changes from one to another.
function shown() {
  const visible = panels().filter(({ style }) => style.display !== "none");
  return visible.length === 1 ? visible[0].id.replace("sr-tab-", "") : null;
}
