"""Comparing and promoting in the Train tab: a candidate compared with what serves now."""

from collections.abc import Iterator

import gradio as gr

from segnet_res.web.backend import Backend
from segnet_res.web.promoter import Promoter
from segnet_res.web.replies import Reply
from segnet_res.web.script import ASKED, script_component


def build(backend: Backend) -> gr.HTML:
    """Build the part of the tab and wire it to the promoter."""
    promoter = Promoter(backend)
    view = script_component("promote.js", "ask", elem_id="sr-promote")

    def ask(event: gr.EventData, request: gr.Request) -> Iterator[Reply]:
        yield from promoter.answer(event._data, request.username)

    view.ask(ask, outputs=view, **ASKED)
    return view
