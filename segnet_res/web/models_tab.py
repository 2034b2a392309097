"""The Models tab: a card for each checkpoint of the folder."""

import gradio as gr

from segnet_res.web.script import script_component


def build() -> gr.HTML:
    """Build the tab; `page` fills it with what the header shows too."""
    return script_component("models.js", elem_id="sr-models")
