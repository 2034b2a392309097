"""Answers the questions of the Train tab: what can be chosen, start, how far, stop, go on."""

from collections.abc import Callable
from typing import Any

from segnet_res.assessment import MIN_PARTS
from segnet_res.errors import UsageError
from segnet_res.retraining import run as runs
from segnet_res.web.backend import Backend
from segnet_res.web.freezing import Freezing
from segnet_res.web.jobs import Job
from segnet_res.web.replies import Once, Reply, new_reply
from segnet_res.web.retrainings import Retrainings, details, summaries
from segnet_res.web.trainer_form import choices, choose, class_rows, for_page, request_of


class Trainer:
    """Answers what the tab's script asks; all of it comes from a browser and may be anything.

    What is under way lies in files alone, so that a page that was reloaded, another page, and a
    server that was started again all see the same.

    Args:
        backend: What stands behind the page.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._once = Once()
        self._actions: dict[str, Callable[[dict[str, Any]], Reply]] = {
            "choices": self._choices,
            "classes": self._classes,
            "freeze": self._freeze,
            "freezing": self._freezing,
            "start": self._start,
            "watch": self._watch,
            "stop": self._stop,
            "resume": self._resume,
        }

    def answer(self, content: object, user: str | None = None) -> Reply:
        """Answer one question; what goes wrong becomes one sentence in the reply.

        Args:
            content: ``{"action": ..., "request": number, ...}``.
            user: Who is logged in; None where nobody has to.

        Returns:
            Plain lists, texts and numbers. The questions, by their ``action``:

            - ``choices``: parents, datasets and golden sets, see `trainer_form.choices`.
            - ``classes``: what becomes of each class with the ``form``, see
              `trainer_form.class_rows`.
            - ``freeze``: make a golden set of a ``split`` of a ``dataset``; the answer is that of
              ``freezing``: how far the ``job`` is, and what it has made.
            - ``start``: begin the retraining ``name`` with the ``form``, see
              `trainer_form.request_of`.
            - ``watch``: every retraining in short, and the one called ``run`` in full; the answer
              to ``start``, ``stop`` and ``resume``, too.
            - ``stop``: let ``run`` come to its end soon.
            - ``resume``: go on with ``run``; with ``leave_out`` without the pictures for which it
              was refused.
        """
        # Who is logged in is ours to say: it replaces whatever a browser sent by that name.
        fields = (content if isinstance(content, dict) else {}) | {"user": user}
        reply = self._once.answered(new_reply("train", content), content, lambda: self._act(fields))
        if reply["error"] is not None:
            reply["error"] = for_page(reply["error"])
        return reply

    def _act(self, fields: dict[str, Any]) -> Reply:
        name = fields.get("action")
        action = self._actions.get(name) if isinstance(name, str) else None
        if action is None:
            raise UsageError("the page asked for something unknown; reload it")
        return action(fields)

    def _retrainings(self) -> Retrainings:
        """Return the retrainings; nobody gets further where the page may retrain nothing."""
        if self._backend.runs is None:
            raise UsageError("this page retrains nothing; start it with --runs DIR")
        return Retrainings(self._backend.runs)

    def _choices(self, _: dict[str, Any]) -> Reply:
        return choices(self._backend)

    def _classes(self, fields: dict[str, Any]) -> Reply:
        return {"classes": class_rows(choose(self._backend, _form(fields)))}

    def _freeze(self, fields: dict[str, Any]) -> Reply:
        self._retrainings()
        work = Freezing(self._backend.folders, fields.get("dataset"), fields.get("split"))
        return _frozen(self._backend.jobs.start(work))

    def _freezing(self, fields: dict[str, Any]) -> Reply:
        return _frozen(self._backend.jobs.find(fields.get("job"), Freezing))

    def _start(self, fields: dict[str, Any]) -> Reply:
        out = self._retrainings().new(fields.get("name"))
        runs.start(out, request_of(self._backend, _form(fields), fields["user"]))
        return self._watch({"run": out.name})

    def _watch(self, fields: dict[str, Any]) -> Reply:
        listed = self._retrainings().all()
        wanted = [one for one in listed if one.name == fields.get("run")]
        shown = details(wanted[0], self._backend.folders.root) if wanted else None
        if shown is not None:
            shown["doing"] = for_page(shown["doing"])
            shown["notes"] = [for_page(note) for note in shown["notes"]]
        return {"runs": summaries(listed), "run": shown}

    def _stop(self, fields: dict[str, Any]) -> Reply:
        one = self._retrainings().find(fields.get("run"))
        runs.stop(one.run.path)
        return self._watch(fields)

    def _resume(self, fields: dict[str, Any]) -> Reply:
        one = self._retrainings().find(fields.get("run"))
        runs.resume(one.run.path, leave_out=fields.get("leave_out") is True)
        return self._watch(fields)


def _form(fields: dict[str, Any]) -> dict[str, Any]:
    form = fields.get("form")
    return form if isinstance(form, dict) else {}


def _frozen(job: Job[Freezing]) -> Reply:
    work = job.work
    rare = [one.name for one in work.holdings if one.parts < MIN_PARTS]
    return {"job": job.token, "state": job.state(), "made": work.made, "rare": rare}
