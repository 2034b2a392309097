// How the keys of the editor are told. They differ from those of the other viewers, where 1 to 9 are
// views and Space hides the mask: here numbers are classes, and Space is the hand.

import { t } from "./texts.js";

export const EDITOR_KEYS = {
  view: (text) => t("editor.viewTitle", { text }),
  title: (name) => (name === "fit" ? t("editor.fitTitle") : t(`viewer.${name}Title`)),
  hidden: () => t("editor.maskHidden"),
  rows: () => [
    ["B  E  P  G", "keyPaint"], ["A  D", "keyRegion"], ["N", "keyNext"],
    [`H, ${t("viewer.space")}`, "keyHand"], ["1 - 9", "keyClass"], ["0, X", "keyIgnore"],
    ["[  ]", "keySize"], [t("editor.shiftClick"), "keyStraight"],
    [t("editor.polygonKeys"), "keyPolygon"], [t("editor.undoKeys"), "keyUndo"],
    [t("editor.redoKeys"), "keyRedo"], ["V", "keyView"], ["M", "keyMask"], ["+  -", "keyZoom"],
    ["Home", "keyFit"], ["Z", "keyActualSize"], ["F", "keyFullScreen"],
    [t("viewer.arrows"), "keyArrows"], [t("viewer.pages"), "keyPages"], ["I", "keyProbe"],
    ["?", "keyHelp"],
  ].map(([keys, name]) => [keys, t(`editor.${name}`)]),
};
