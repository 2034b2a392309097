"""The page: header and tabs. Each tab is one module here and one script in ``static``."""

from typing import Any

import gradio as gr

from segnet_res.web import (
    annotate_tab,
    api,
    batch_tab,
    compare_tab,
    evaluate_tab,
    inspect_tab,
    models_tab,
    promote_tab,
    train_tab,
)
from segnet_res.web.backend import Backend
from segnet_res.web.script import script_component

# Each tab its own; "page.css" has the colours and pieces that all of them share.
CSS_FILES = (
    "page.css",
    "inspect.css",
    "viewer.css",
    "jobs.css",
    "evaluate.css",
    "batch.css",
    "compare.css",
    "models.css",
    "annotate.css",
    "annotate-editor.css",
    "train.css",
    "promote.css",
)

# System fonts: the page loads nothing from outside.
THEME = gr.themes.Default(
    primary_hue="blue",
    neutral_hue="slate",
    font=("system-ui", "sans-serif"),
    font_mono=("ui-monospace", "monospace"),
)

TITLE = "Surface inspection"

_SESSIONS = 100


def build_page(backend: Backend) -> gr.Blocks:
    """Build the page; nothing slow happens here."""
    page = gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True)
    with page:
        header = script_component("header.js", "refresh", elem_id="sr-header")
        with gr.Tabs(elem_id="sr-tabs"):
            with gr.Tab("Inspect", id="inspect", elem_id="sr-tab-inspect"):
                inspect = inspect_tab.build(backend)
            with gr.Tab("Evaluate", id="evaluate", elem_id="sr-tab-evaluate"):
                evaluate_tab.build(backend)
            with gr.Tab("Batch", id="batch", elem_id="sr-tab-batch"):
                batch_tab.build(backend)
            with gr.Tab("Compare", id="compare", elem_id="sr-tab-compare"):
                compare_tab.build(backend)
            if backend.accepts_annotations:
                with gr.Tab("Annotate", id="annotate", elem_id="sr-tab-annotate"):
                    annotate_tab.build(backend)
            if backend.runs is not None:
                with gr.Tab("Train", id="train", elem_id="sr-tab-train"):
                    train_tab.build(backend)
                    promote_tab.build(backend)
            with gr.Tab("Models", id="models", elem_id="sr-tab-models"):
                models = models_tab.build(backend, header)

        def opened(request: gr.Request) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
            backend.opened.set()
            found = models_tab.listing(backend)
            head = found | {"title": TITLE, "user": request.username}
            return head, inspect_tab.welcome(backend.samples), found

        def looked_again() -> tuple[dict[str, Any], dict[str, Any]]:
            found = models_tab.listing(backend)
            return found, found

        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        page.load(opened, outputs=[header, inspect, models], **quiet)
        # A file that was put into the folder appears when somebody opens the list.
        # None is left out: what was promoted meanwhile must appear too.
        header.refresh(looked_again, outputs=[header, models], trigger_mode="multiple", **quiet)
        api.build(backend)
    # What gradio keeps of each session is of no use to a page whose components have no state.
    page.state_session_capacity = _SESSIONS
    # The queue is the only way in, so that a limit of simultaneous runs holds for everybody.
    page.queue(api_open=False)
    # Gradio looks for work a thousand times a second, and for progress a hundred times, also while
    # nobody is there. Nobody notices whether an answer begins 20 ms later.
    page._queue.sleep_when_free = 0.02
    page._queue.progress_update_sleep_when_free = 0.1
    return page
