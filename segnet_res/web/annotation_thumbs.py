"""Small pictures for the list of the Annotate tab, with what is known of each picture."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segnet_res.errors import SegnetResError, UsageError
from segnet_res.retraining.drafts import Drafts
from segnet_res.web.annotation_places import Fingerprints, Places
from segnet_res.web.annotation_saving import Fields, Person
from segnet_res.web.backend import Backend
from segnet_res.web.results import read_picture
from segnet_res.web.storage import write_preview

# So many pictures are looked at for one question: a dozen large ones take a second or two.
MOST = 12

_SIDE = 160


class Thumbs:
    """Makes small pictures, each once as long as the page runs.

    Args:
        backend: What stands behind the page.
        places: Finds datasets.
        fingerprints: Tell which pictures are the same.
        drafts: Where work in progress is kept.
    """

    def __init__(
        self, backend: Backend, places: Places, fingerprints: Fingerprints, drafts: Drafts
    ) -> None:
        self._backend = backend
        self._places = places
        self._fingerprints = fingerprints
        self._drafts = drafts
        self._folder: Path | None = None
        # One picture at a time, because a large one takes a gigabyte while it is read.
        self._lock = threading.Lock()

    def look(self, fields: Fields, person: Person) -> Fields:
        """Return small picture, state and draft of some pictures, in their order.

        Args:
            fields: ``pictures``, a list of descriptions as `Pictures.find` takes them, and
                ``dataset``; untrusted.
            person: Whose drafts count.

        Raises:
            UsageError: when there are too many at once, or no such dataset.
        """
        sources = fields.get("pictures")
        if not isinstance(sources, list) or len(sources) > MOST:
            raise UsageError(f"the page may ask for {MOST} pictures at once; reload it")
        state = self._places.states(fields.get("dataset"))
        return {"pictures": [self._one(source, state, person) for source in sources]}

    def _one(self, source: object, state: Callable[[Path], str], person: Person) -> dict[str, Any]:
        try:
            path = self._backend.pictures.find(source).path
            sha256 = self._fingerprints.of(path)
            draft = self._drafts.find(sha256, person.key)
            return {
                "thumb": self._thumb(path, sha256),
                "draft": None if draft is None else draft.when,
                "state": state(path),
                "error": None,
            }
        except SegnetResError as error:
            return {"thumb": None, "draft": None, "state": None, "error": str(error)}

    def _thumb(self, path: Path, sha256: str) -> str:
        with self._lock:
            if self._folder is None or not self._folder.is_dir():
                self._folder = self._backend.storage.new_result()
            # The sweep of old files passes over it while people look at lists.
            self._folder.touch()
            thumb = self._folder / f"{sha256}.jpg"
            if not thumb.is_file():
                write_preview(thumb, read_picture(path), side=_SIDE)
            return str(thumb)
