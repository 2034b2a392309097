"""Answers the questions of the Models tab: what serves and served, the family tree, going back."""

from typing import Any

from segnet_res.errors import CheckpointError, SegnetResError, UsageError
from segnet_res.retraining.registry import Entry, roll_back
from segnet_res.web.backend import Backend
from segnet_res.web.lineage import Tree
from segnet_res.web.replies import Once, Reply, answered, new_reply
from segnet_res.web.serving import Digests
from segnet_res.web.words import by_whom, checked_words

# Nobody reads further back in a page; `segnet-res checkpoints history` has them all.
_MOST_LINES = 200


class Registrar:
    """Answers what the script asks; all of it comes from a browser and may be anything.

    Everybody may look; only a page that was started with a folder of runs lets people go back.

    Args:
        backend: What stands behind the page.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._once = Once()
        self._registry = backend.checkpoints.registry
        self._digests = Digests()

    def answer(self, content: object, user: str | None = None) -> Reply:
        """Answer one question; what goes wrong becomes one sentence in the reply.

        Args:
            content: What the browser sent.
            user: Who is logged in; None where nobody has to.

        Returns:
            Plain lists, texts and numbers. The questions, by their ``action``:

            - ``look``: which checkpoint serves, since when, by whom and why (of the rollback where
              somebody went back to it), which would serve after going back, the history with the
              newest first, and the family tree.
            - ``rollback``: let the one before serve again instead of the one with the SHA-256
              ``instead_of``, because of ``why``, wanted ``by`` somebody.
        """
        fields: dict[str, Any] = content if isinstance(content, dict) else {}
        reply = new_reply("registry", content)
        if fields.get("action") == "look":
            return answered(reply, lambda: self._look(user))
        if fields.get("action") == "rollback":
            return self._once.answered(reply, content, lambda: self._rollback(fields, user))
        return reply | {"error": "the page asked for something unknown; reload it"}

    def _look(self, user: str | None) -> Reply:
        problem: str | None = None
        entries: tuple[Entry, ...] = ()
        kept: tuple[Entry, ...] = ()
        try:
            entries, kept = self._registry.entries(), self._registry.history()
        except CheckpointError as error:
            problem = str(error)
        if kept and problem is None:
            problem = self._doubt(kept[-1])
        tree = Tree()
        tree.add(self._backend.checkpoints.entries(), self._digests)
        tree.add_promotions(entries)
        return {
            "allowed": self._backend.runs is not None,
            "user": user,
            "problem": problem,
            # The last line has made it serve, and may be a rollback, of which `kept` holds none.
            "serving": _served(entries[-1]) if kept else None,
            "back": _served(kept[-2]) if len(kept) > 1 else None,
            "history": [_line(entry) for entry in reversed(entries[-_MOST_LINES:])],
            "lines": len(entries),
            "tree": [node.to_dict() for node in tree.nodes()],
        }

    def _doubt(self, entry: Entry) -> str | None:
        """Say what is wrong with the file that serves, if anything is."""
        path = self._registry.folder / entry.file
        try:
            if path.is_file() and self._digests.of(path) == entry.sha256:
                return None
            self._registry.file_of(entry)
        except (OSError, SegnetResError) as error:
            return str(error)
        return None

    def _rollback(self, fields: dict[str, Any], user: str | None) -> Reply:
        if self._backend.runs is None:
            raise UsageError(
                "this page changes nothing about what serves; start it with --runs DIR, or use "
                "`segnet-res rollback`"
            )
        instead_of = fields.get("instead_of")
        if not isinstance(instead_of, str) or not instead_of:
            raise UsageError("the page did not say what it goes back from; reload it")
        entry = roll_back(
            self._registry.folder,
            by=by_whom(user, fields.get("by")),
            why=checked_words(fields.get("why"), "the reason"),
            instead_of=instead_of,
        )
        return {"serves": entry.checkpoint, "before": entry.before}


def _served(entry: Entry) -> dict[str, Any]:
    keys = ("checkpoint", "sha256", "by", "at", "why", "action")
    return {key: getattr(entry, key) for key in keys}


def _line(entry: Entry) -> dict[str, Any]:
    """Return what the history shows of a line; a comparison of an older version may lack parts."""
    keys = ("action", "checkpoint", "before", "by", "why", "at", "accepted")
    comparison = entry.comparison or {}
    flips, miou = comparison.get("flips") or {}, comparison.get("miou") or {}
    return {key: getattr(entry, key) for key in keys} | {
        "id": entry.sha256[:12],
        "exam": {key: entry.exam.get(key) for key in ("name", "split", "pictures")},
        "compared": entry.comparison is not None,
        "missed": len(flips.get("newly_missed") or ()),
        "found": len(flips.get("newly_found") or ()),
        "miou": [miou.get("before"), miou.get("after")],
    }
