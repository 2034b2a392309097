"""Answers what the Annotate tab asks about the order of pictures: begin, how far, stop."""

from pathlib import Path

from segnet_res.errors import UsageError
from segnet_res.web.annotation_places import MAX_PICTURES, Places
from segnet_res.web.annotation_saving import Fields
from segnet_res.web.backend import Backend
from segnet_res.web.batch_names import shown_name
from segnet_res.web.jobs import Job
from segnet_res.web.queue_work import QueueWork


class Queues:
    """The rankings of everybody; whoever knows the token of one may see and stop it.

    Args:
        backend: What stands behind the page.
        places: Finds datasets and pictures.
        cache: File that keeps what was measured.
    """

    def __init__(self, backend: Backend, places: Places, cache: Path) -> None:
        self._backend = backend
        self._places = places
        self._cache = cache

    def start(self, fields: Fields) -> Fields:
        """Begin to rank the pictures of ``folder`` for ``model``; the answer is that of `watch`.

        Those of ``dataset`` are known already, unless it is the dataset itself that is ranked.

        Raises:
            UsageError: when there are no pictures, too many, or no checkpoint.
            DataError: when there is no such folder.
        """
        folder, model, name = (fields.get(key) for key in ("folder", "model", "dataset"))
        place = self._backend.folders.folder(folder if isinstance(folder, str) else "")
        pictures = self._places.pictures(place)
        if not isinstance(model, str) or not model:
            raise UsageError("no checkpoint was given; choose one at the top of the page")
        if not 0 < len(pictures) <= MAX_PICTURES:
            raise UsageError(
                f"{shown_name(str(folder))} holds {len(pictures)} pictures, the page ranks 1 to "
                f"{MAX_PICTURES}; choose another folder, or use segnet-res queue"
            )
        root = self._places.dataset(name) if name else None
        if root is not None and place.is_relative_to(root):
            root = None
        work = QueueWork(self._backend.checkpoints, model, pictures, root, self._cache)
        return _report(self._backend.jobs.start(work))

    def watch(self, fields: Fields) -> Fields:
        """Tell how far a ``job`` is, and the order when it has come to its end."""
        return _report(self._backend.jobs.find(fields.get("job"), QueueWork))

    def stop(self, fields: Fields) -> Fields:
        """Let a ``job`` come to its end now; what is measured so far is put in order."""
        job = self._backend.jobs.find(fields.get("job"), QueueWork)
        job.stop()
        return _report(job)


def _report(job: Job[QueueWork]) -> Fields:
    # Asked first: a job that ends in between is asked for once more, and nothing is left out.
    state, work = job.state(), job.work
    ended = job.ended
    return {
        "job": job.token,
        "state": state,
        "model": work.model,
        "ranked": work.rows if ended else [],
        "skipped": work.skipped if ended else [],
    }
