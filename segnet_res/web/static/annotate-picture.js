// The picture that is open in the Annotate tab: its mask in the editor, its draft, and the other
// masks that one can begin with.

import { clock, Drafts } from "./annotate-drafts.js";
import { Editor } from "./annotate-editor.js";
import { el, fileUrl } from "./dom.js";
import { loadLabels } from "./masks.js";
import { t } from "./texts.js";

export class OpenPicture {
  // server: an AnnotateServer. choices(): {dataset, model} by now. Callbacks:
  //   onOpening(entry)       before the server is asked
  //   onShown(entry, reply)  it is in the editor, or null, null: nothing is any more
  //   onChanged()            pixels, the draft or the classes have changed
  //   onDraft(state)         what has become of the draft
  //   onReady(kind)          something has come to its end: "opened" or "failed"
  //   onHeld()               it begins or ends to be saved, see `hold`
  //   onFail(sentence)
  constructor({ server, choices, ...callbacks }) {
    Object.assign(this, { server, choices, ...callbacks });
    // {entry, reply, classes}; null: nothing is open.
    this.opened = null;
    // What was open before another mask of the picture was taken: {reply, labels}.
    this.mine = null;
    // Counts openings: what belongs to an earlier one is dropped.
    this.turn = 0;
    // The picture or mask that is on its way: {entry, start}, or null.
    this.wanted = null;
    // A promise that ends with the save under way, or null.
    this.saving = null;
    // How many wait for leaving what is open.
    this.leaving = 0;
    // What had the focus before the editor was held still.
    this.focused = null;
    this.editor = new Editor({ onChange: () => this.#changed() });
    this.drafts = new Drafts({ save: () => this.#keepDraft(), onState: (state) => this.onDraft(state) });
    this.origin = el("span", { class: "sr-annotate-origin", role: "status" });
    const button = (key, act) => el("button", {
      type: "button", class: "sr-tool", text: t(`annotate.${key}`), hidden: true, onclick: act,
    });
    this.restart = button("restart", () => this.take("prediction"));
    this.takeSaved = button("takeSaved", () => this.take("saved"));
    this.back = button("back", () => this.#bringBack());
    this.line = el("div", { class: "sr-annotate-line" }, this.origin, this.restart, this.takeSaved,
      this.back, this.drafts.status);
    this.#say(t("annotate.start"));
  }

  get entry() {
    return this.opened?.entry ?? null;
  }

  // Names, colours and labels of the classes by now.
  get classes() {
    return this.opened?.classes ?? [];
  }

  // Whether somebody has changed what the server sent.
  get touched() {
    return this.editor.dirty;
  }

  // Whether what is open stays and can be worked on: nothing else is chosen, and nothing is saved.
  get settled() {
    return !this.wanted && !this.saving && !this.leaving;
  }

  // Keep what is open before something else takes its place; false when that fails: it stays then.
  async leave() {
    this.leaving += 1;
    try {
      // The answer to a save is about the picture that is open.
      await this.saving;
      await this.drafts.flush();
      return true;
    } catch (error) {
      this.onFail(error.message);
      return false;
    } finally {
      this.leaving -= 1;
    }
  }

  // Hold still what is open while `act` saves it; resolves with what that does. A stroke that came
  // after the mask was sent would be in no save, and be forgotten as saved.
  async hold(act) {
    let end;
    this.saving = new Promise((resolve) => {
      end = resolve;
    });
    this.#rest();
    this.onHeld();
    try {
      return await act();
    } finally {
      this.saving = null;
      // The button that saves may have had the focus: it takes it only when it can be pressed.
      this.onHeld();
      this.#rest();
      end();
    }
  }

  // Open a picture with its draft, its saved mask or a prediction ("best"), or with one of them.
  // Resolves with whether it is there.
  async open(entry, start = "best") {
    const turn = ++this.turn;
    this.wanted = { entry, start };
    this.onFail(null);
    this.onOpening(entry);
    this.#busy(entry, turn);
    try {
      const wanted = { start, ...entry.sliders, ...this.choices() };
      const reply = await this.server.open(entry, wanted, (ahead) => {
        this.ahead = ahead;
      });
      if (turn !== this.turn) return false;
      // Nobody should have painted meanwhile; who has, loses nothing.
      await this.drafts.flush();
      if (turn !== this.turn || !await this.#show(entry, reply) || turn !== this.turn) return false;
      this.onReady("opened");
      return true;
    } catch (error) {
      if (turn !== this.turn) return false;
      // Beside the sentence that another one cannot be opened, the one before would be mistaken for it.
      if (this.entry === entry || this.drafts.pending) this.#offer();
      else this.close();
      this.onFail(error.message);
      this.onReady("failed");
      return false;
    } finally {
      if (turn === this.turn) this.#idle();
    }
  }

  close() {
    this.turn++;
    this.opened = this.mine = null;
    this.editor.close();
    this.drafts.reset("");
    this.#say(t("annotate.start"));
    this.#offer();
    this.#idle();
    this.onShown(null, null);
  }

  // Begin with another mask of the open picture; what was there can be brought back.
  async take(start) {
    if (!this.opened || !await this.leave()) return false;
    const { entry, reply, classes } = this.opened;
    const mine = this.mine ?? { reply: { ...reply, classes }, labels: this.editor.labels.slice() };
    if (!await this.open(entry, start)) return false;
    this.mine = mine;
    // A mask that somebody chose to begin with is worth a draft.
    if (start === "prediction") this.drafts.changed();
    this.#offer();
    return true;
  }

  // Send the mask with what is to be done with it; the answer is the server's.
  async send(fields) {
    const { entry, reply, classes } = this.opened;
    return this.server.keep(entry, await this.editor.png(), {
      classes: classes.map(({ name, color }) => ({ name, color })),
      // The mask belongs to the picture that was there then.
      picture_sha256: reply.picture_sha256,
      // The dataset that it was opened for: `opened` is the hash of a mask there.
      dataset: reply.dataset, opened: reply.opened, proposed_by: reply.proposed_by,
      // The draft that was there: another one that is there now was drawn in another tab.
      draft: reply.draft, ...fields,
    });
  }

  // The mask is in the dataset now, as the server's answer tells.
  saved(line) {
    const { entry, reply } = this.opened;
    Object.assign(entry, { mark: line.state, draft: null });
    this.opened.reply = {
      ...reply, saved: line, opened: line.mask_sha256, origin: "saved", draft: null,
    };
    this.mine = null;
    this.editor.saved();
    this.drafts.reset();
    this.#offer();
  }

  // Offer other classes; those that are there keep their places.
  setClasses(classes) {
    this.opened.classes = classes;
    this.editor.setClasses(classes);
    this.onChanged();
  }

  // Another checkpoint is chosen.
  modelChanged() {
    // What is on its way comes with the mask of the checkpoint before.
    if (this.wanted) return void this.open(this.wanted.entry, this.wanted.start);
    if (!this.opened) return;
    // Nobody has worked on this one yet: the other checkpoint may propose a better mask.
    const fresh = this.opened.reply.origin === "prediction" && !this.touched;
    if (fresh && !this.saving) this.open(this.entry);
    else this.#offer();
  }

  // Put the server's answer into the editor; `labels` (Uint8Array) instead of the mask that it names.
  async #show(entry, reply, labels = null) {
    const { files, background, ignore, classes } = reply;
    // The model's own labels are what the regions to accept are made of.
    const proposal = files.proposal && await labelsOf(files.proposal);
    const shown = await this.editor.open({
      image: reply.image, picture: fileUrl(files.preview), full: files.full && fileUrl(files.full),
      labels: labels ?? proposal ?? fileUrl(files.labels), classes, ignore, background, proposal,
    });
    if (!shown) return false;
    if (this.entry !== entry) this.mine = null;
    this.opened = { entry, reply, classes };
    Object.assign(entry, { mark: reply.saved?.state ?? "", draft: reply.draft });
    this.drafts.reset(reply.origin === "draft"
      ? t("annotate.draftSaved", { time: clock(reply.draft) }) : undefined);
    this.#offer();
    this.onShown(entry, reply);
    return true;
  }

  async #bringBack() {
    if (!await this.leave() || !this.mine) return;
    const { mine } = this;
    const turn = ++this.turn;
    const reply = { ...mine.reply, origin: "mine", files: { ...mine.reply.files, proposal: null } };
    try {
      if (!await this.#show(this.entry, reply, mine.labels) || turn !== this.turn) return;
      this.mine = null;
      this.drafts.changed();
      this.#offer();
      this.onReady("opened");
    } catch (error) {
      this.onFail(error.message);
    } finally {
      // It may have overtaken what was on its way.
      if (turn === this.turn) this.#idle();
    }
  }

  // Which other masks of the picture one can begin with.
  #offer() {
    const reply = this.opened?.reply;
    const { model } = this.choices();
    this.restart.hidden = !reply || !model || (reply.origin === "prediction" && !this.touched);
    this.takeSaved.hidden = !reply?.saved || (reply.origin === "saved" && !this.touched);
    this.back.hidden = !this.mine;
    if (reply) this.#say(originOf(reply));
  }

  #changed() {
    if (!this.opened) return;
    this.drafts.changed();
    if (this.restart.hidden || this.takeSaved.hidden) this.#offer();
    this.onChanged();
  }

  async #keepDraft() {
    const { entry } = this.opened;
    const { when } = await this.send({ action: "draft" });
    const first = !entry.draft;
    entry.draft = when;
    if (first) this.onChanged();
    return when;
  }

  #busy(entry, turn) {
    this.ahead = 0;
    const began = performance.now();
    const tell = () => {
      if (turn !== this.turn) return;
      const seconds = Math.floor((performance.now() - began) / 1000);
      this.#say(this.ahead === 0 ? t("annotate.opening", { name: entry.name, seconds })
        : this.ahead === 1 ? t("annotate.openingWaitsOne")
          : t("annotate.openingWaits", { ahead: this.ahead }));
    };
    clearInterval(this.timer);
    this.timer = setInterval(tell, 1000);
    // What is painted into a picture that is about to go would be lost.
    this.#rest();
    tell();
  }

  #idle() {
    clearInterval(this.timer);
    this.wanted = null;
    this.#rest();
  }

  // Hold the editor still or let it go, and give it back the focus that it has lost by that.
  #rest() {
    const { node, viewer } = this.editor;
    const held = Boolean(this.wanted || this.saving);
    const active = document.activeElement;
    if (held && !node.inert) this.focused = node.contains(active) ? active : null;
    node.inert = held;
    // Who has gone elsewhere meanwhile stays there.
    if (held || !this.focused || active !== document.body) return;
    this.focused.focus({ preventScroll: true });
    // It may be hidden by now, as the buttons of a conflict are.
    if (document.activeElement === document.body) viewer.canvas.focus({ preventScroll: true });
  }

  #say(text) {
    this.origin.textContent = text;
  }
}

async function labelsOf(path) {
  const { levels } = await loadLabels(fileUrl(path), null, null, null);
  return levels[0].data;
}

// What the mask in the editor is, in words.
function originOf(reply) {
  const { origin, saved, draft, opened } = reply;
  const said = [];
  const who = saved?.who ?? t("annotate.somebody");
  if (origin === "draft") said.push(t("annotate.originDraft", { when: clock(draft) }));
  else if (origin === "mine") said.push(t("annotate.originMine"));
  else if (origin === "empty") said.push(t("annotate.originEmpty"));
  else if (origin === "prediction") said.push(t("annotate.originPrediction", { by: reply.proposed_by }));
  else if (saved.when) {
    const state = t(`annotate.${saved.state}`);
    said.push(t("annotate.originSaved", { state, who, when: clock(saved.when) }));
  } else said.push(t("annotate.originLabelled"));
  if (["draft", "mine"].includes(origin) && saved?.when && saved.mask_sha256 !== opened) {
    said.push(t("annotate.savedSince", { who, when: clock(saved.when) }));
  }
  return said.join(" ");
}
