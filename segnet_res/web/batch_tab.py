"""The Batch tab: many pictures, judged one after the other."""

from typing import Any

import gradio as gr

from segnet_res.web.backend import Backend
from segnet_res.web.batch import Batches
from segnet_res.web.script import ASKED, script_component


def build(backend: Backend) -> gr.HTML:
    """Build the tab and wire it to what answers it."""
    batches = Batches(backend)
    view = script_component("batch.js", "ask", elem_id="sr-batch")

    def ask(event: gr.EventData) -> dict[str, Any]:
        return batches.answer(event._data)

    view.ask(ask, outputs=view, **ASKED)
    return view
