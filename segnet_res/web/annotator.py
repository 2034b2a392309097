"""Answers what the Annotate tab asks: where pictures are, open one, keep a draft, save it."""

from collections.abc import Callable, Iterator
from typing import Any

from segnet_res.errors import UsageError
from segnet_res.retraining.drafts import Drafts
from segnet_res.web.annotation_opening import Opener
from segnet_res.web.annotation_places import Fingerprints, Places
from segnet_res.web.annotation_queue import Queues
from segnet_res.web.annotation_saving import Fields, Keeper, Person
from segnet_res.web.annotation_thumbs import Thumbs
from segnet_res.web.backend import Backend
from segnet_res.web.replies import Once, Reply, new_reply
from segnet_res.web.results import GoneError

# Hidden, so that nobody takes it for a dataset.
DRAFTS = ".drafts"


class Annotator:
    """Answers what the tab's script asks; all of it comes from a browser and may be anything.

    Args:
        backend: What stands behind the page; ``folders.root`` must be there.
    """

    def __init__(self, backend: Backend) -> None:
        self._once = Once()
        root = backend.folders.root
        assert root is not None  # the command asks for --data
        fingerprints = Fingerprints()
        drafts = Drafts(root / DRAFTS)
        self._places = Places(backend, fingerprints)
        self._opener = Opener(backend, self._places, fingerprints, drafts)
        self._keeper = Keeper(backend, self._places, fingerprints, drafts)
        self._thumbs = Thumbs(backend, self._places, fingerprints, drafts)
        self._queues = Queues(backend, self._places, root / DRAFTS / "queue.sqlite")
        keeper, thumbs = self._keeper, self._thumbs
        self._actions: dict[object, Callable[[Fields, Person], Fields]] = {
            "places": self._told,
            "list": self._list,
            "look": thumbs.look,
            "draft": keeper.draft,
            "save": keeper.save,
            "new_dataset": lambda fields, _: keeper.new_dataset(fields),
            "new_class": lambda fields, _: keeper.new_class(fields),
            "rank": lambda fields, _: self._queues.start(fields),
            "watch": lambda fields, _: self._queues.watch(fields),
            "stop": lambda fields, _: self._queues.stop(fields),
        }

    def open(self, content: object, user: str | None) -> Iterator[Reply]:
        """Open a picture, see `Opener.open`."""
        yield from self._opener.open(content, user)

    def answer(self, content: object, user: str | None) -> Reply:
        """Answer one question; what goes wrong becomes one sentence in the reply.

        Args:
            content: ``{"action": ..., "request": number, "who": ..., "browser": ..., ...}``.
            user: Who has logged in, or None where nobody has to.

        Returns:
            Plain lists, texts and numbers. The questions, by their ``action``:

            - ``places``: datasets with their classes, and folders.
            - ``list``: the pictures of ``folder`` with their state in ``dataset``.
            - ``look``: small pictures, states and drafts of ``pictures``.
            - ``draft``: keep the uploaded ``mask`` of ``source`` in ``classes``.
            - ``save``: save the ``mask`` into ``dataset`` with a ``state``.
            - ``new_dataset``, ``new_class``: make one called ``name``.
            - ``rank``: begin to order ``folder`` by what a label would teach ``model``.
            - ``watch``, ``stop``: how far that ``job`` is; let it come to its end.

            With an ``error``, ``gone`` says that an upload is no longer here.
        """
        fields: Fields = content if isinstance(content, dict) else {}

        def act() -> Reply:
            name = fields.get("action")
            action = self._actions.get(name) if isinstance(name, str) else None
            if action is None:
                raise UsageError("the page asked for something unknown; reload it")
            try:
                return action(fields, Person.of(fields, user))
            except GoneError as error:
                # The browser may still have the file, and can send it again.
                return {"error": str(error), "gone": True}

        return self._once.answered(new_reply("annotate", content), content, act)

    def _told(self, _: Fields, person: Person) -> Fields:
        return self._places.told() | {"user": person.name if person.key[:5] == "user " else None}

    def _list(self, fields: Fields, _: Person) -> dict[str, Any]:
        folder, dataset = fields.get("folder"), fields.get("dataset")
        return {"folder": folder, "pictures": self._places.listing(folder, dataset)}
