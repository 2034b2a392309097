"""The Batch tab: many pictures, judged one after the other."""

from typing import Any

import gradio as gr

from segnet_res.web.backend import Backend
from segnet_res.web.batch import Batches
from segnet_res.web.script import script_component


def build(backend: Backend) -> gr.HTML:
    """Build the tab and wire it to what answers it."""
    batches = Batches(backend)
    view = script_component("batch.js", "ask", elem_id="sr-batch")

    def ask(event: gr.EventData) -> dict[str, Any]:
        return batches.answer(event._data)

    view.ask(
        ask,
        outputs=view,
        show_progress="hidden",
        trigger_mode="multiple",
        # Answers are quick: the long work goes on in a job.
        concurrency_limit=None,
        api_visibility="private",
    )
    return view
