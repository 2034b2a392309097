"""The Evaluate tab: a checkpoint measured on a whole set of pictures with masks."""

from typing import Any

import gradio as gr

from segnet_res.web.backend import Backend
from segnet_res.web.evaluator import Evaluator
from segnet_res.web.script import ASKED, script_component


def build(backend: Backend) -> gr.HTML:
    """Build the tab and wire it to the evaluator."""
    evaluator = Evaluator(backend)
    view = script_component("evaluate.js", "ask", elem_id="sr-evaluate")

    def ask(event: gr.EventData) -> dict[str, Any]:
        return evaluator.answer(event._data)

    view.ask(ask, outputs=view, **ASKED)
    return view
