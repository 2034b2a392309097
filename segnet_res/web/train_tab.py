"""The Train tab: a checkpoint retrained on new masks."""

from typing import Any

import gradio as gr

from segnet_res.web.backend import Backend
from segnet_res.web.script import ASKED, script_component
from segnet_res.web.trainer import Trainer


def build(backend: Backend) -> gr.HTML:
    """Build the tab and wire it to the trainer."""
    trainer = Trainer(backend)
    view = script_component("train.js", "ask", elem_id="sr-train")

    def ask(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        return trainer.answer(event._data, request.username)

    view.ask(ask, outputs=view, **ASKED)
    return view
