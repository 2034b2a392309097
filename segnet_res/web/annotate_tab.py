"""The Annotate tab: a mask corrected by hand, and saved into a dataset."""

import gradio as gr

from segnet_res.web.backend import Backend
from segnet_res.web.script import script_component


def build(backend: Backend) -> gr.HTML:  # noqa: ARG001
    """Build the tab."""
    return script_component("annotate.js", elem_id="sr-annotate")
