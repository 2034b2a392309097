"""The Inspect tab: pictures, what was found in them, and how right that is."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from segnet_res.web.backend import Backend
from segnet_res.web.inspection import Inspector
from segnet_res.web.replies import Reply
from segnet_res.web.samples import Samples
from segnet_res.web.script import ASKED, script_component


def build(backend: Backend) -> gr.HTML:
    """Build the tab and wire it to the inspector."""
    inspector = Inspector(backend)
    view = script_component(
        "inspect.js", "inspect", "refine", "unsure", "download", elem_id="sr-inspect"
    )
    # A component that gets two replies within one frame tells of the last one only: each kind of
    # request has a place of its own for its replies.
    slots = {
        name: script_component("slot.js", elem_id=f"sr-slot-{name}")
        for name in ("refine", "unsure", "download")
    }

    def inspect(event: gr.EventData) -> Iterator[Reply]:
        yield from inspector.inspect(event._data)

    def refine(event: gr.EventData) -> Reply:
        return inspector.refine(event._data)

    def unsure(event: gr.EventData) -> Iterator[Reply]:
        yield from inspector.unsure(event._data)

    def download(event: gr.EventData) -> Iterator[Reply]:
        yield from inspector.download(event._data)

    view.inspect(inspect, outputs=view, **ASKED)
    view.refine(refine, outputs=slots["refine"], **ASKED)
    view.unsure(unsure, outputs=slots["unsure"], **ASKED)
    view.download(download, outputs=slots["download"], **ASKED)
    return view


def welcome(samples: Samples) -> dict[str, Any]:
    """Return what the tab shows before the first picture."""
    parts = samples.parts().values()
    return {
        "kind": "samples",
        "samples": [{"name": part.name, "file": str(part.image)} for part in parts],
    }
