"""Answers the questions of the Evaluate tab: which sets there are, start, how far, stop."""

from collections.abc import Callable
from typing import Any

from segnet_res.classes import ClassMap, background, format_color
from segnet_res.errors import UsageError
from segnet_res.web.backend import Backend
from segnet_res.web.evaluation_report import SMALLEST, PictureRow
from segnet_res.web.evaluation_sets import MAX_PAIRS, PARTS, find_set
from segnet_res.web.jobs import Job
from segnet_res.web.judging import Judge
from segnet_res.web.pairs import match_names
from segnet_res.web.replies import Once, Reply, new_reply
from segnet_res.web.set_evaluation import SetEvaluation

# So many rows travel at once; a script that lacks more asks again.
_ROWS_AT_ONCE = 500

# Ratios of a table need no more; the files have them in full.
_DIGITS = 5


class Evaluator:
    """Answers what the tab's script asks; all of it comes from a browser and may be anything.

    Args:
        backend: What stands behind the page.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._once = Once()
        self._actions: dict[object, Callable[[dict[str, Any]], Reply]] = {
            "sets": self._sets,
            "match": self._match,
            "start": self._start,
            "watch": self._watch,
            "stop": self._stop,
        }

    def answer(self, content: object) -> Reply:
        """Answer one question; what goes wrong becomes one sentence in the reply.

        Returns:
            Plain lists, texts and numbers. The questions, by their ``action``:

            - ``sets``: which datasets there are, as ``{name: {split: pictures}}``.
            - ``match``: which of the names ``pictures`` and ``masks`` belong together.
            - ``start``: evaluate ``model`` on ``set`` (see `find_set`), ``parts`` known by one of
              `PARTS`, defective also what fails the limits of ``judge`` (see `Judge`); the answer
              is that of ``watch``.
            - ``watch``: how far the ``job`` is, its rows from the number ``since`` on, and the
              totals when it has come to its end.
            - ``stop``: let the ``job`` come to its end now; the answer is that of ``watch``.
        """
        fields: dict[str, Any] = content if isinstance(content, dict) else {}
        reply = new_reply("evaluate", content)
        return self._once.answered(reply, content, lambda: self._act(fields))

    def _act(self, fields: dict[str, Any]) -> Reply:
        name = fields.get("action")
        action = self._actions.get(name) if isinstance(name, str) else None
        if action is None:
            raise UsageError("the page asked for something unknown; reload it")
        return action(fields)

    def _sets(self, _: dict[str, Any]) -> Reply:
        folders = self._backend.folders
        return {"allowed": folders.root is not None, "datasets": folders.datasets()}

    def _match(self, fields: dict[str, Any]) -> Reply:
        match = match_names(_names(fields.get("pictures")), _names(fields.get("masks")))
        return {
            "pairs": [list(pair) for pair in match.pairs],
            "problems": [list(problem) for problem in match.problems],
        }

    def _start(self, fields: dict[str, Any]) -> Reply:
        model, parts = fields.get("model"), fields.get("parts")
        if not isinstance(model, str) or not model:
            raise UsageError("no checkpoint was given; choose one at the top of the page")
        found = find_set(self._backend, fields.get("set"))
        judge = fields.get("judge")
        work = SetEvaluation(
            self._backend.checkpoints,
            model,
            found,
            parts=parts if isinstance(parts, str) and parts in PARTS else PARTS[0],
            judge=Judge.from_untrusted(judge if isinstance(judge, dict) else {}),
            folder=self._backend.storage.new_result(),
        )
        job = self._backend.jobs.start(work, folder=work.folder, keep=found.uploads)
        return _report(job, 0)

    def _watch(self, fields: dict[str, Any]) -> Reply:
        job = self._backend.jobs.find(fields.get("job"), SetEvaluation)
        since = fields.get("since")
        return _report(job, since if isinstance(since, int) and 0 <= since < 2**31 else 0)

    def _stop(self, fields: dict[str, Any]) -> Reply:
        job = self._backend.jobs.find(fields.get("job"), SetEvaluation)
        job.stop()
        return self._watch(fields)


def _report(job: Job[SetEvaluation], since: int) -> Reply:
    """Return the state of a job, some of its rows, and its totals."""
    # Asked first: a job that ends in between is asked for once more, and nothing is left out.
    state, work = job.state(), job.work
    class_map, rows = work.class_map, work.rows[since : since + _ROWS_AT_ONCE]
    reply: Reply = {
        "job": job.token,
        "state": state,
        "model": work.model,
        "set": work.set.title,
        "since": since,
        "total_rows": len(work.rows),
        "classes": [],
        "background": None,
        "miou": None,
        "limits_error": None,
        "doubt": None,
        "rows": [],
        "totals": None,
        "files": {},
    }
    if class_map is None or work.matrix is None:
        return reply
    reply |= {
        "classes": _classes(class_map),
        "background": background(class_map),
        "rows": [_row(row, work, class_map) for row in rows],
        "miou": work.matrix.scores().miou,
        "limits_error": work.limits_error,
        "doubt": work.doubt,
    }
    if job.ended and work.summary is not None:
        reply |= {"totals": work.summary.to_dict(), "files": work.files}
    return reply


def _classes(class_map: ClassMap) -> list[dict[str, Any]]:
    return [
        {"index": i, "name": name, "color": format_color(color)}
        for i, (name, color) in enumerate(zip(class_map.names, class_map.colors, strict=True))
    ]


def _row(row: PictureRow, work: SetEvaluation, class_map: ClassMap) -> dict[str, Any]:
    item = work.set.items[row.index]
    told = {
        "index": row.index,
        "name": row.name,
        "part": row.part,
        "error": row.error,
        "warnings": list(row.warnings),
        "source": item.source,
        "reference": item.reference,
    }
    if row.counts is None:
        return told
    occurs = row.counts.sum(0) + row.counts.sum(1) > 0
    ratios = {
        key: [_short(ratio) for ratio in value] if isinstance(value, list) else _short(value)
        for key, value in row.ratios(class_map).items()
    }
    return (
        told
        | ratios
        | {
            "classes": [int(i) for i in occurs.nonzero()[0]],
            "outcome": row.outcome(class_map, SMALLEST),
            "limits_outcome": row.limits_outcome,
        }
    )


def _short(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, _DIGITS)


def _names(value: object) -> list[str]:
    """Return a list of file names from a browser.

    Raises:
        UsageError: when it is none, or a very long one.
    """
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise UsageError("the page sent no list of names; reload it")
    if len(value) > 2 * MAX_PAIRS:
        raise UsageError(
            f"{len(value)} files were chosen, the page takes up to {MAX_PAIRS} pairs; put them "
            "into a dataset folder below the one that --data names"
        )
    return [name[:1000] for name in value]
