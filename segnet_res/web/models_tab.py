"""The Models tab: a card for each checkpoint of the folder, how to add one, and what served."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gradio as gr

from segnet_res.errors import CheckpointError, ImageError, SegnetResError
from segnet_res.web.acceptance import accept
from segnet_res.web.backend import Backend
from segnet_res.web.registrar import Registrar
from segnet_res.web.replies import Reply
from segnet_res.web.script import ASKED, script_component

_UNEXPECTED = "something unexpected went wrong; the server's log has the details"


@dataclass(frozen=True)
class Upload:
    """A checkpoint that the browser has uploaded; every field may be anything.

    Attributes:
        number: Returned with the reply.
        path: Where its upload put it.
        name: What the file is called where it comes from.
    """

    number: int = 0
    path: str = ""
    name: str = ""

    @classmethod
    def from_untrusted(cls, content: object) -> "Upload":
        """Take what has the right type and leave the rest out."""
        fields: dict[str, Any] = content if isinstance(content, dict) else {}
        number = fields.get("request")
        return cls(
            number if isinstance(number, int) else 0,
            _text(fields.get("path")),
            _text(fields.get("name")),
        )


def listing(backend: Backend) -> dict[str, Any]:
    """Return what the folder holds now, as plain lists, texts and numbers."""
    speeds = backend.speeds.fields()
    cards = [card | {"speed": speeds.get(card["name"])} for card in backend.checkpoints.cards()]
    return {
        "folder": str(backend.checkpoints.folder),
        "models": cards,
        "accepts": backend.accepts_checkpoints,
    }


def add(backend: Backend, upload: Upload) -> dict[str, Any]:
    """Add an uploaded checkpoint to the folder.

    Returns:
        ``added``: its name, or None; ``error``: one sentence, or None.
    """
    reply: dict[str, Any] = {"request": upload.number, "added": None, "error": None}
    if not backend.accepts_checkpoints:
        return reply | {"error": "this page takes no checkpoints; put the file into its folder"}
    try:
        path = backend.storage.uploaded(upload.path)
        with backend.checkpoints.turns.turn():
            return reply | {"added": accept(path, upload.name, backend.checkpoints.folder)}
    except ImageError:
        return reply | {"error": "the upload has expired; choose the file again"}
    except SegnetResError as error:
        return reply | {"error": str(error)}
    except MemoryError:
        return reply | {"error": "the server has too little memory for this checkpoint"}
    except Exception:
        logging.getLogger(__name__).exception("a checkpoint could not be taken")
        return reply | {"error": _UNEXPECTED}


def build(backend: Backend, header: gr.HTML) -> gr.HTML:
    """Build the tab; `page` fills it with what the header shows too."""
    view = script_component("models.js", "accept", "measure", elem_id="sr-models")

    def added(event: gr.EventData) -> tuple[dict[str, Any], dict[str, Any]]:
        reply = add(backend, Upload.from_untrusted(event._data))
        found = listing(backend)
        return found, found | {"reply": reply}

    def measured(event: gr.EventData) -> dict[str, Any]:
        content: object = event._data
        name = content.get("name") if isinstance(content, dict) else None
        with suppress(CheckpointError):  # it has vanished, and so will its card
            backend.speeds.measure(_text(name))
        return listing(backend)

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    # One at a time: waiting here takes no thread from those who look at pictures.
    view.accept(added, outputs=[header, view], concurrency_limit=1, **quiet)
    view.measure(measured, outputs=view, concurrency_limit=1, trigger_mode="multiple", **quiet)
    _build_registry(backend)
    return view


def _build_registry(backend: Backend) -> None:
    """Build what serves and served, below the cards."""
    registrar = Registrar(backend)
    view = script_component("registry.js", "ask", elem_id="sr-registry")

    def ask(event: gr.EventData, request: gr.Request) -> Reply:
        return registrar.answer(event._data, request.username)

    view.ask(ask, outputs=view, **ASKED)


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 4096 else ""
