"""Components that a script of ours draws."""

import json
from typing import Any

import gradio as gr

# How a script's question is asked. Those who wait are many and do nothing; the queue that they see
# is ours.
ASKED: dict[str, Any] = {
    "show_progress": "hidden",
    "trigger_mode": "multiple",
    "concurrency_limit": None,
    "api_visibility": "private",
}


def script_component(script: str, *events: str, elem_id: str) -> gr.HTML:
    """Make a component whose content a script draws from its value.

    The value travels as JSON and is never part of a template: names of classes and files reach
    the page as text, whatever they contain. The script gets ``{element, value, onValue, send,
    upload}``.

    Args:
        script: File in ``static`` that exports ``start``.
        *events: Events that the script sends, each an attribute of the component.
        elem_id: Id in the page.
    """
    # Gradio accepts an event only when its name stands in quotes in this text.
    senders = ", ".join(f"{name}: (data) => trigger({json.dumps(name)}, data)" for name in events)
    start = f"""
        import(new URL("page/{script}", document.baseURI)).then((module) => module.start({{
            element: element.querySelector(".sr"),
            value: () => JSON.parse(JSON.stringify(props.value ?? null)),
            onValue: (act) => watch("value", act),
            send: {{ {senders} }},
            upload,
        }}));
    """
    return gr.HTML(
        value=None,
        html_template='<div class="sr"></div>',
        js_on_load=start,
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes="sr-host",
    )
