"""Answers the questions of comparing and promoting: start, how far, look at, promote."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from segnet_res.checkpoint import SUFFIX, checkpoint_name, digest
from segnet_res.classes import background
from segnet_res.data import SegmentationDataset
from segnet_res.errors import CheckpointError, DataError, UsageError
from segnet_res.retraining.promotion import promote
from segnet_res.web.acceptance import is_checkpoint_name
from segnet_res.web.backend import Backend
from segnet_res.web.goldens import find_golden, list_goldens
from segnet_res.web.jobs import Job
from segnet_res.web.pictures import Picture
from segnet_res.web.promoter_report import Fields, classes_of, for_page, report
from segnet_res.web.promoting import CandidateComparison
from segnet_res.web.replies import Once, Reply, in_turn, new_reply
from segnet_res.web.results import full_size, read_picture, shown_step
from segnet_res.web.retrainings import Retrainings
from segnet_res.web.storage import write_preview
from segnet_res.web.words import by_whom, checked_words


class Promoter:
    """Answers what the script asks; all of it comes from a browser and may be anything.

    Args:
        backend: What stands behind the page.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._once = Once()
        self._actions: dict[object, Callable[[Fields, str | None], Reply]] = {
            "choices": self._choices,
            "start": self._start,
            "watch": self._watch,
            "stop": self._stop,
            "promote": self._promote,
        }

    def answer(self, content: object, user: str | None = None) -> Iterator[Reply]:
        """Answer one question; what goes wrong becomes one sentence in the reply.

        Args:
            content: What the browser sent.
            user: Who is logged in; None where nobody has to.

        Yields:
            Replies of plain lists, texts and numbers. The questions, by their ``action``:

            - ``choices``: candidates, golden sets, and which checkpoint serves.
            - ``start``: compare ``candidate`` (``{"kind": "run" or "checkpoint", "name"}``) on the
              golden set ``golden``; the answer is that of ``watch``.
            - ``watch``: how far the ``job`` is, and what came out when it has come to its end.
            - ``stop``: let the ``job`` come to its end now; the answer is that of ``watch``.
            - ``picture``: the picture ``stem`` of the ``job`` with its mask and both answers;
              before it, replies that tell how many others have their turn.
            - ``promote``: let the candidate of the ``job`` serve as ``name``, because of ``why``,
              wanted ``by`` somebody, in spite of missed defects for the reason ``accept``.
        """
        fields: Fields = content if isinstance(content, dict) else {}
        reply = new_reply("promote", content)
        if fields.get("action") != "picture":
            done = self._once.answered(reply, content, lambda: self._act(fields, user))
            yield _for_page(done)
            return
        for one in in_turn(self._backend.checkpoints.turns, reply, lambda: self._picture(fields)):
            yield _for_page(one)

    def _act(self, fields: Fields, user: str | None) -> Reply:
        name = fields.get("action")
        action = self._actions.get(name) if isinstance(name, str) else None
        if action is None:
            raise UsageError("the page asked for something unknown; reload it")
        return action(fields, user)

    def _runs(self) -> Retrainings:
        """Return the retrainings; nobody gets further where the page may promote nothing."""
        if self._backend.runs is None:
            raise UsageError("this page promotes nothing; start it with --runs DIR")
        return Retrainings(self._backend.runs)

    def _choices(self, _: Fields, user: str | None) -> Reply:
        runs = [one for one in self._runs().all() if one.candidate is not None]
        now = self._backend.checkpoints.registry.serving()
        checkpoints = [
            entry.name
            for entry in self._backend.checkpoints.entries()
            if entry.metadata is not None
            and entry.path.suffix == SUFFIX
            and (now is None or entry.path.name != now.file)
        ]
        return {
            "runs": [one.name for one in reversed(runs)],
            "checkpoints": checkpoints,
            "goldens": [one.to_dict() for one in list_goldens(self._backend.folders)],
            "serving": None if now is None else now.checkpoint,
            "user": user,
        }

    def _start(self, fields: Fields, user: str | None) -> Reply:
        path, name, title = self._candidate(fields.get("candidate"))
        golden = find_golden(self._backend.folders, fields.get("golden"))
        work = CandidateComparison(
            self._backend.checkpoints,
            path,
            name,
            golden,
            golden_name=str(fields.get("golden")),
            title=title,
            folder=self._backend.storage.new_result(),
        )
        job = self._backend.jobs.start(work, folder=work.folder)
        return report(job) | {"user": user}

    def _candidate(self, content: object) -> tuple[Path, str, str]:
        """Return file, future name and title of a candidate that a browser describes."""
        fields: Fields = content if isinstance(content, dict) else {}
        runs, name = self._runs(), fields.get("name")
        if fields.get("kind") == "run":
            one = runs.find(name)
            if one.candidate is None:
                raise UsageError(
                    f"{one.name}: is {one.state}, and only what is finished has a candidate; wait "
                    "for its end, or resume it"
                )
            return one.candidate, self._free_name(one.name, one.candidate), one.name
        if fields.get("kind") == "checkpoint" and isinstance(name, str):
            path = self._backend.checkpoints.key(name)[0]
            return path, checkpoint_name(path), name
        raise UsageError("no candidate was chosen; choose a finished retraining, or a checkpoint")

    def _free_name(self, wanted: str, candidate: Path) -> str:
        """Return a name that nothing else in the folder has, the wanted one if possible."""
        number, name = 1, wanted
        while (other := self._taken(name)) is not None and digest(other) != digest(candidate):
            number += 1
            name = f"{wanted}-{number}"
        return name

    def _taken(self, name: str) -> Path | None:
        """Return the file that has a name; many file systems take A and a for the same letter."""
        wanted = f"{name}{SUFFIX}".casefold()
        there = self._backend.checkpoints.folder.glob(f"*{SUFFIX}")
        return next((path for path in there if path.name.casefold() == wanted), None)

    def _watch(self, fields: Fields, user: str | None) -> Reply:
        return report(self._job(fields)) | {"user": user}

    def _stop(self, fields: Fields, user: str | None) -> Reply:
        self._job(fields).stop()
        return self._watch(fields, user)

    def _job(self, fields: Fields) -> Job[CandidateComparison]:
        self._runs()
        return self._backend.jobs.find(fields.get("job"), CandidateComparison)

    def _picture(self, fields: Fields) -> Reply:
        job, stem = self._job(fields), fields.get("stem")
        work, name = job.work, stem if isinstance(stem, str) else ""
        if work.exam is None or work.comparison is None:
            raise UsageError("the comparison has not come to its end; wait for it")
        layers = work.answers(name)
        picture = _picture_of(work.exam.dataset, name)
        image = read_picture(picture.path)
        height, width = image.shape[:2]
        # Beside the answers, whose names begin with the place of the picture.
        preview = layers["truth"].with_name(layers["truth"].name.replace("truth.png", "seen.jpg"))
        write_preview(preview, image)
        own = work.folder / preview.stem
        own.mkdir(exist_ok=True)
        classes = work.comparison.class_map
        return {
            "job": job.token,
            "stem": name,
            "image": {"name": name, "width": width, "height": height},
            "step": shown_step(height * width),
            "classes": classes_of(work.comparison),
            "background": background(classes),
            "ignore": classes.ignore_index,
            "files": {
                "preview": str(preview),
                "full": full_size(picture, own, image),
                **{layer: str(path) for layer, path in layers.items()},
            },
        }

    def _promote(self, fields: Fields, user: str | None) -> Reply:
        work = self._job(fields).work
        if not work.finished or work.plan is None or work.exam is None:
            raise UsageError(
                "the comparison has not come to its end; wait for it, or start it anew"
            )
        by = by_whom(user, fields.get("by"))
        why = checked_words(fields.get("why"), "the reason")
        missed = 0 if work.comparison is None else len(work.comparison.flips.newly_missed)
        given = fields.get("accept")
        accept = checked_words(given, "the reason to accept misses") if given else None
        if missed and accept is None:
            defects = "1 defect is" if missed == 1 else f"{missed:,} defects are"
            raise CheckpointError(
                f"{work.title}: {defects} newly missed; look at them, correct and retrain, or "
                "accept that with a reason"
            )
        plan = work.plan
        if not plan.in_folder:
            name = self._checked_name(fields.get("name"), plan.candidate)
            plan = replace(plan, name=name)
        # One after the other with the uploads of checkpoints, which must not take the same name.
        with self._backend.checkpoints.turns.turn():
            entry = promote(plan, work.exam, work.comparison, by=by, why=why, accept_misses=accept)
        return {"promoted": entry.checkpoint, "before": entry.before}

    def _checked_name(self, content: object, candidate: Path) -> str:
        name = content.strip() if isinstance(content, str) else ""
        if not is_checkpoint_name(name):
            raise UsageError(
                f"{name[:100]!r}: no name for a checkpoint; give up to 100 letters, digits and "
                "- _ . ( ) +"
            )
        other = self._taken(name)
        if other is not None and (other.stem != name or digest(other) != digest(candidate)):
            raise CheckpointError(
                f"{name}: is there already and another checkpoint; nothing is overwritten, choose "
                "another name"
            )
        return name


def _picture_of(dataset: SegmentationDataset, stem: str) -> Picture:
    if stem not in dataset.stems:
        raise DataError(f"the golden set holds no picture {stem[:200]!r}; choose one of the lists")
    return Picture(stem, dataset.image_path(dataset.stems.index(stem)), uploaded=False)


def _for_page(reply: Reply) -> Reply:
    error = reply.get("error")
    return reply | {"error": for_page(error)} if error else reply
