"""The Inspect tab: one picture, what was found in it, and how right that is."""

import logging
from typing import Any

import gradio as gr

from segnet_res.web.inspection import Inspector, Request
from segnet_res.web.samples import Samples
from segnet_res.web.script import script_component


def build(inspector: Inspector) -> gr.HTML:
    """Build the tab and wire it to the inspector."""
    view = script_component("inspect.js", "inspect", elem_id="sr-inspect")

    def inspect(event: gr.EventData) -> dict[str, Any]:
        request = Request.from_untrusted(event._data)
        try:
            return inspector.answer(request)
        except Exception:
            # A bug must not leave the person before a page that waits for ever.
            logging.getLogger(__name__).exception("inspection failed")
            return {
                "kind": "result",
                "request": request.number,
                "error": "something unexpected went wrong; the server's log has the details",
            }

    view.inspect(
        inspect,
        outputs=view,
        show_progress="hidden",
        trigger_mode="multiple",
        concurrency_limit=2,
        api_visibility="private",
    )
    return view


def welcome(samples: Samples) -> dict[str, Any]:
    """Return what the tab shows before the first picture."""
    parts = samples.parts().values()
    return {
        "kind": "samples",
        "samples": [{"name": part.name, "file": str(part.image)} for part in parts],
    }
