"""The Annotate tab: a mask corrected by hand, and saved into a dataset."""

from collections.abc import Iterator

import gradio as gr

from segnet_res.web.annotator import Annotator
from segnet_res.web.backend import Backend
from segnet_res.web.replies import Reply
from segnet_res.web.script import ASKED, script_component


def build(backend: Backend) -> gr.HTML:
    """Build the tab and wire it to the annotator."""
    annotator = Annotator(backend)
    view = script_component("annotate.js", "begin", "ask", "keep", elem_id="sr-annotate")
    # A component that gets two replies within one frame tells of the last one only: each kind of
    # request has a place of its own for its replies.
    slots = {
        name: script_component("slot.js", elem_id=f"sr-slot-annotate-{name}")
        for name in ("ask", "keep")
    }

    def open_picture(event: gr.EventData, request: gr.Request) -> Iterator[Reply]:
        yield from annotator.open(event._data, request.username)

    def ask(event: gr.EventData, request: gr.Request) -> Reply:
        return annotator.answer(event._data, request.username)

    view.begin(open_picture, outputs=view, **ASKED)
    view.ask(ask, outputs=slots["ask"], **ASKED)
    # Drafts and saves do not wait for thumbnails.
    view.keep(ask, outputs=slots["keep"], **ASKED)
    return view
