"""The Compare tab: two checkpoints on the same pictures."""

from collections.abc import Iterator

import gradio as gr

from segnet_res.web.backend import Backend
from segnet_res.web.comparer import Comparer
from segnet_res.web.replies import Reply
from segnet_res.web.script import ASKED, script_component


def build(backend: Backend) -> gr.HTML:
    """Build the tab and wire it to the comparer."""
    comparer = Comparer(backend)
    view = script_component("compare.js", "ask", elem_id="sr-compare")

    def ask(event: gr.EventData) -> Iterator[Reply]:
        yield from comparer.answer(event._data)

    view.ask(ask, outputs=view, **ASKED)
    return view
