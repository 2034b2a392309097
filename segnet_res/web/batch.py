"""Answers what the Batch tab asks: start, watch, stop, judge again, pack."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segnet_res.classes import ClassMap, background, format_color
from segnet_res.errors import DataError, UsageError
from segnet_res.images import SUFFIXES
from segnet_res.web.backend import Backend
from segnet_res.web.batch_archive import Contents, Pack
from segnet_res.web.batch_names import safe_path, shown_name
from segnet_res.web.batch_table import Row, View, counts
from segnet_res.web.batch_work import Batch, Judgement, Part, Rejudge
from segnet_res.web.jobs import Job
from segnet_res.web.judging import Judge
from segnet_res.web.replies import Once, new_reply

# Each takes 1 kB of memory and some files; more is a matter for the command line.
MAX_PICTURES = 20_000

_TOO_MANY = f"the page takes up to {MAX_PICTURES} at once; take fewer, or use segnet-res predict"

Fields = dict[str, Any]


class Batches:
    """The batches of everybody; whoever knows the token of one may see and stop it.

    Args:
        backend: Models, uploads, folders and jobs.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._jobs = backend.jobs
        self._lock = threading.Lock()
        self._once = Once()
        self._answers: dict[str, Callable[[Fields], Fields]] = {
            "folders": self._folders,
            "look": self._look,
            "run": self._run,
            "watch": self._watch,
            "stop": self._stop,
            "rejudge": self._rejudge,
            "pack": self._pack,
            "forget": self._forget,
        }

    def answer(self, content: object) -> Fields:
        """Answer one question of a browser; what goes wrong becomes a sentence in the reply.

        Args:
            content: ``{"action": ..., "request": number, ...}``, untrusted.
        """
        fields: Fields = content if isinstance(content, dict) else {}
        action = fields.get("action")
        act = self._answers.get(action) if isinstance(action, str) else None
        # A page of an older version may still be open in a browser.
        return self._once.answered(
            new_reply("batch", content), fields, lambda: (act or _nothing)(fields)
        )

    def _folders(self, _: Fields) -> Fields:
        """Tell the folders of the server that may be chosen."""
        return {"folders": [shown_name(name) for name in self._backend.folders.names()]}

    def _look(self, fields: Fields) -> Fields:
        """Tell how many pictures a folder of the server holds."""
        return {"pictures": len(self._in_folder(fields.get("folder")))}

    def _run(self, fields: Fields) -> Fields:
        judgement = _judgement(fields)
        model = fields.get("model")
        parts = self._parts(fields.get("source"))
        folder = self._backend.storage.new_result()
        batch = Batch(
            self._backend.checkpoints,
            model if isinstance(model, str) else "",
            _linked(parts, folder / "pictures"),
            folder,
            judgement,
            overlays=fields.get("overlays") is True,
        )
        job = self._jobs.start(batch, folder=folder)
        return {"job": job.token} | _shown(job, View())

    def _watch(self, fields: Fields) -> Fields:
        """Tell how far batch and task are, and the rows of one page."""
        job = self._job(fields)
        return _shown(job, View.from_untrusted(fields.get("view"))) | self._task(job)

    def _stop(self, fields: Fields) -> Fields:
        """Stop the batch, or the task that works on its results."""
        job = self._job(fields)
        task = job.work.task
        if fields.get("task") is not True:
            job.stop()
        elif task is not None:
            task.stop()
        return {}

    def _rejudge(self, fields: Fields) -> Fields:
        job = self._job(fields)
        if not job.ended:
            raise UsageError("the batch still runs; stop it, or wait for its end")
        return self._begin(job, Rejudge(job.work, _judgement(fields)))

    def _pack(self, fields: Fields) -> Fields:
        job = self._job(fields)
        if not job.work.rows:
            raise UsageError("nothing is finished yet; wait for the first picture")
        folder = job.work.files.folder / "downloads"
        return self._begin(
            job, Pack(job.work, Contents.from_untrusted(fields.get("contents")), folder)
        )

    def _begin(self, job: Job[Batch], work: Rejudge | Pack) -> Fields:
        """Start a task on the results of a batch; one at a time, so that none disturbs another."""
        batch = job.work
        with self._lock:
            if batch.task is not None and not batch.task.ended:
                raise UsageError("the results are being worked on; wait for the end, or stop it")
            batch.task = self._jobs.start(work, keep=[batch.files.folder])
        return {"task": batch.task.token}

    def _forget(self, fields: Fields) -> Fields:
        """Stop a batch and free its disk; it is of no use to anybody any more."""
        job = self._job(fields)
        job.stop()
        if job.wait(5):
            shutil.rmtree(job.work.files.folder, ignore_errors=True)
        return {}

    def _job(self, fields: Fields) -> Job[Batch]:
        return self._jobs.find(fields.get("job"), Batch)

    def _task(self, job: Job[Batch]) -> Fields:
        """Tell how far the task is that works on the results, and what it has made."""
        task = job.work.task
        if task is None:
            return {"task": None}
        pack = task.work if isinstance(task.work, Pack) else None
        more = {
            "token": task.token,
            "kind": "pack" if pack else "rejudge",
            "file": str(pack.file) if pack and pack.file else None,
        }
        return {"task": task.state() | more}

    def _parts(self, source: object) -> list[Part]:
        fields: Fields = source if isinstance(source, dict) else {}
        kind = fields.get("kind")
        if kind == "folder":
            parts = self._folder_parts(fields.get("folder"))
        elif kind == "samples":
            parts = [
                Part(part.image.name, part.image, {"kind": "sample", "name": name})
                for name, part in self._backend.samples.parts().items()
            ]
        else:
            files = fields.get("files")
            listed = files[: MAX_PICTURES + 1] if isinstance(files, list) else []
            parts = [self._upload(file) for file in listed]
        if not parts:
            raise DataError(
                f"there are no pictures; choose files that end in {', '.join(SUFFIXES)}"
            )
        if len(parts) > MAX_PICTURES:
            raise UsageError(f"there are {len(parts)} pictures, {_TOO_MANY}")
        return parts

    def _folder_parts(self, folder: object) -> list[Part]:
        return [
            Part(shown_name(name), path, _folder_source(str(folder), name))
            for name, path in self._in_folder(folder).items()
        ]

    def _upload(self, file: object) -> Part:
        fields: Fields = file if isinstance(file, dict) else {}
        path = self._backend.pictures.uploaded(fields.get("path"))
        name = fields.get("name")
        usable = isinstance(name, str) and 0 < len(name) <= 1000
        shown = shown_name(str(name)) if usable else path.name
        return Part(shown, path, {"kind": "upload", "path": str(path), "name": shown})

    def _in_folder(self, folder: object) -> dict[str, Path]:
        """Return the pictures of a folder of the server by their path below it."""
        folders = self._backend.folders
        return folders.pictures(folders.folder(folder if isinstance(folder, str) else ""))


def _nothing(_: Fields) -> Fields:
    raise UsageError("the page asks for something unknown; reload it")


def _folder_source(folder: str, file: str) -> dict[str, str]:
    # A name that is no UTF-8 cannot travel to a browser; its picture cannot be asked for again.
    return {"kind": "folder", "folder": folder, "file": file.encode(errors="replace").decode()}


def _judgement(fields: Fields) -> Judgement:
    asked = fields.get("judge")
    asked = asked if isinstance(asked, dict) else {}
    judge = Judge.from_untrusted(asked)
    if judge.spec_error is not None:
        raise UsageError(judge.spec_error)
    return Judgement(judge, {key: asked.get(key) for key in Judge.FIELDS})


def _linked(parts: list[Part], folder: Path) -> list[Part]:
    """Give the batch names of its own for uploads, so that they live as long as its results."""
    linked = []
    for i, part in enumerate(parts):
        if part.source["kind"] == "upload":
            # A folder for each: the name stays, and the page shows it.
            path = folder / f"{i:06d}" / safe_path(part.path.name)
            try:
                path.parent.mkdir(parents=True)
                os.link(part.path, path)
            except OSError:
                path = part.path  # then the upload's own time counts
            part = Part(part.name, path, part.source | {"path": str(path)})
        linked.append(part)
    return linked


def _shown(job: Job[Batch], view: View) -> Fields:
    """Return everything that the page draws of a batch."""
    batch, state = job.work, job.state()
    # One look at the list, which may grow or be replaced meanwhile.
    rows = list(batch.rows)
    selected = view.select(rows)
    offset, page = view.page(selected)
    return {
        "state": state,
        "model": batch.model,
        "total": len(batch.parts),
        "judged": batch.judgement.asked,
        "overlays": batch.files.overlays,
        "counts": counts(rows),
        "matching": len(selected),
        "offset": offset,
        "classes": _classes(batch.class_map),
        "background": None if batch.class_map is None else background(batch.class_map),
        "rows": [_row_fields(batch, row) for row in page],
    }


def _classes(class_map: ClassMap | None) -> list[Fields]:
    if class_map is None:
        return []
    pairs = zip(class_map.names, class_map.colors, strict=True)
    return [{"name": name, "color": format_color(color)} for name, color in pairs]


def _row_fields(batch: Batch, row: Row) -> Fields:
    failed = row.state == "failed"
    return {
        "number": row.number,
        "name": row.name,
        "state": row.state,
        "reasons": list(row.reasons),
        "error": row.error,
        "size": row.size,
        "shares": row.shares,
        "regions": sum(row.regions) if row.regions else None,
        "defects": row.defects,
        "confidence": row.confidence,
        "thumbnail": None if failed else str(batch.files.path("thumbnails", row.number)),
        "source": batch.parts[row.number].source,
    }
