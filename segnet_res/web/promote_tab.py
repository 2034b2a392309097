"""Comparing and promoting in the Train tab: a candidate compared with what serves now."""

import gradio as gr

from segnet_res.web.backend import Backend
from segnet_res.web.script import script_component


def build(backend: Backend) -> gr.HTML:  # noqa: ARG001
    """Build the tab."""
    return script_component("promote.js", elem_id="sr-promote")
