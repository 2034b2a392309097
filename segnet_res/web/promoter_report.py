"""What the page shows of a comparison, as plain lists, texts and numbers."""

from typing import Any

from segnet_res.checkpoint import checkpoint_name
from segnet_res.classes import format_color
from segnet_res.retraining.comparison import Comparison
from segnet_res.retraining.flips import Defect
from segnet_res.web.jobs import Job
from segnet_res.web.promoting import CandidateComparison

Fields = dict[str, Any]

# Nobody looks at more; the file has them all.
_MOST_LISTED = 300

_FLIPS = ("newly_missed", "newly_found", "newly_misnamed")
_ALARMS = ("new_alarms", "ended_alarms")

# Remedies of the command, and what stands for them in the page.
_REMEDIES = {
    " with --name": "",
    "retrain it with --golden": "retrain it, and choose this golden set in the form above",
}


def report(job: Job[CandidateComparison]) -> Fields:
    """Return the state of a job, and what it has found.

    Returns:
        ``state`` of the job, ``title`` of the candidate, its future ``name`` (``fixed_name``: it
        has it already), ``parent`` (what it is compared with; None: nothing), ``serving``,
        ``golden``, ``notes``; and once ``finished`` the ``comparison`` with at most
        `_MOST_LISTED` rows in each list beside its ``total``.
    """
    # Asked first: a job that ends in between is asked for once more, and nothing is left out.
    state, work = job.state(), job.work
    if state["error"]:
        state["error"] = for_page(work.told(state["error"]))
    reply: Fields = {
        "job": job.token,
        "state": state,
        "title": work.title,
        "golden": work.golden_name,
        "name": None,
        "fixed_name": False,
        "notes": [work.told(note) for note in work.notes],
        "parent": None,
        "serving": None,
        "finished": job.ended and work.finished,
        "comparison": None,
        "files": {},
    }
    if work.plan is not None:
        plan = work.plan
        reply |= {
            "name": plan.name,
            # What lies in the folder already serves under its own name.
            "fixed_name": plan.in_folder,
            "parent": None if plan.parent is None else checkpoint_name(plan.parent),
            "serving": None if plan.serving is None else plan.serving.checkpoint,
        }
    if reply["finished"] and work.comparison is not None:
        reply |= {
            "comparison": _told(work.comparison),
            "files": {"json": str(work.report)},
        }
    return reply


def _told(comparison: Comparison) -> Fields:
    """Return a comparison for the page: as `Comparison.to_dict`, with lists cut to a length."""
    content = comparison.to_dict()
    flips = content.pop("flips")
    told: Fields = {key: flips[key] for key in ("defects", "small", "found_before", "found_after")}
    told |= {"smallest": flips["smallest"]}
    for key in _FLIPS:
        told[key] = _cut([_flip(one) for one in getattr(comparison.flips, key)])
    for key in _ALARMS:
        told[key] = _cut(content.pop(key))
    colors = [row["color"] for row in classes_of(comparison)]
    for row, color in zip(content["classes"], colors, strict=True):
        row["color"] = color
    return content | {"flips": told}


def _cut(rows: list[Any]) -> Fields:
    return {"total": len(rows), "rows": rows[:_MOST_LISTED]}


def _flip(defect: Defect) -> Fields:
    keys = ("stem", "part", "name", "pixels", "before", "after")
    return {key: getattr(defect, key) for key in keys} | {"box": list(defect.box)}


def classes_of(comparison: Comparison) -> list[Fields]:
    """Return index, name and colour of each class of a comparison."""
    names, colors = comparison.class_map.names, comparison.class_map.colors
    return [
        {"index": i, "name": name, "color": format_color(color)}
        for i, (name, color) in enumerate(zip(names, colors, strict=True))
    ]


def for_page(sentence: str) -> str:
    """Return a sentence with the remedies of the page in place of the options of the command.

    >>> for_page("new: is there already; choose another name with --name")
    'new: is there already; choose another name'
    """
    for option, told in _REMEDIES.items():
        sentence = sentence.replace(option, told)
    return sentence
