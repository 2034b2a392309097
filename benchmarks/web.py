"""Measure the page as people use it: in Chromium, from the command's start to twenty at once.

    python benchmarks/web.py                       # everything, half an hour
    python benchmarks/web.py --only start drop     # some of it
    python benchmarks/web.py --only shift --pictures 40

Each part replaces its own entry of ``results/web.json`` and leaves the others. ``load`` is how many
processes wanted a core of the machine when the part began: above 1, the times are those of a
machine that does something else too.
"""

import argparse
import json
import os
import re
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import write_measured, write_result
from people import (
    Person,
    Server,
    browser_memory,
    chromium,
    commented,
    jpeg,
    part,
    photograph,
    serving,
    surroundings,
)
from playwright.sync_api import Browser
from unwatched import Unwatched

from segnet_res import Segmenter
from segnet_res.checkpoint import Checkpoint, Metadata
from segnet_res.classes import MAGNETIC_TILE
from segnet_res.images import read_image, read_mask
from segnet_res.models import build_model

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results" / "web.json"
PAGE = ROOT / "docs" / "page.md"
BUNDLED = ROOT / "checkpoints"

# Where the page, not the model, is measured: it answers 12 million pixels in seconds on two cores.
QUICK_MODEL = "smp:pspnet-tu-mobilenetv3_small_050"

WAITING = re.compile(r"\b(ahead|before you|waiting|queue)\b", re.IGNORECASE)


def start(browser: Browser, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure from the command until a picture can be dropped, and until the first result."""
    seconds: dict[str, list[float]] = {"port_open": [], "page_usable": [], "first_result": []}
    picture = photograph(1, 640, 480)
    for _ in range(arguments.repeats):
        with serving(arguments.checkpoints) as server:
            person = Person(browser, server.url)
            seconds["port_open"].append(server.open_after)
            seconds["page_usable"].append(server.since_start())
            person.drop(person.take("part.jpg", picture), 0)
            seconds["first_result"].append(server.since_start())
            person.leave()
    return {"seconds": {name: summary(values) for name, values in seconds.items()}}


def drop(browser: Browser, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure from a dropped picture to its mask on the screen, without the model's own time."""
    sizes = {"640x480": (640, 480), "2000x1500": (2000, 1500), "4000x3000": (4000, 3000)}
    result: dict[str, Any] = {"checkpoint": "bundled", "sizes": {}}
    with serving(arguments.checkpoints) as server:
        person = Person(browser, server.url)
        for name, (width, height) in sizes.items():
            which = person.take(f"part-{name}.jpg", photograph(2, width, height))
            # The first one loads the model or warms it up.
            drops = [person.drop(which, i) for i in range(arguments.repeats + 1)][1:]
            assert all(one.size == (width, height) for one in drops)
            stages = drops[0].stages
            result["sizes"][name] = {
                "beside_the_model_ms": summary([one.ms - one.stages["model"] for one in drops]),
                "total_ms": summary([one.ms for one in drops]),
                "server_ms": {
                    stage: statistics.median(one.stages.get(stage, 0) for one in drops)
                    for stage in stages
                },
            }
        person.leave()
    return result


def toggles(browser: Browser, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure from a click or key until the canvas has been drawn again, at 12 million pixels."""
    result: dict[str, Any] = {}
    with quick_checkpoints() as folder, serving(folder) as server:
        person = Person(browser, server.url)
        which = person.take("part.jpg", photograph(3, 4000, 3000))
        person.drop(which, 0)
        # What the model has to work out first is no toggle; afterwards it is one like the others.
        person.work_out("Unsure")
        for _ in range(arguments.repeats):
            for name, ms in _toggle_times(person):
                result.setdefault(name, []).append(ms)
        person.leave()
    return {"picture": "4000x3000", "ms": {name: summary(each) for name, each in result.items()}}


def _toggle_times(person: Person) -> list[tuple[str, float]]:
    times = []
    buttons = person.page.locator(".sr-modes button:not(:disabled)")
    for i, name in enumerate(buttons.all_inner_texts()):
        selector = f".sr-modes button:not(:disabled) >> nth={i}"
        times.append((f"view {name}", person.timed(selector, "node.click()")))
    person.page.locator(".sr-modes button").first.click()
    for _ in range(2):
        box = ".sr-legend tbody tr:nth-child(2) input[type=checkbox]"
        times.append(("class on or off", person.timed(box, "node.click()")))
    change = "node.value = {}; node.dispatchEvent(new Event('input', {{ bubbles: true }}));"
    times.append(("opacity", person.timed(".sr-opacity input", change.format(30))))
    person.timed(".sr-opacity input", change.format(55))
    press = "node.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{}', bubbles: true }}))"
    for name, key in (("mask hidden", " "), ("mask shown", " "), ("zoom in", "+"), ("fit", "0")):
        times.append((name, person.timed(".sr-stage canvas", press.format(key))))
    return times


def shift(browser: Browser, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure the memory of server and browser over many pictures of 12 million pixels."""
    grown: dict[str, list[float]] = {"server": [], "disk": [], "browser": [], "scripts": []}
    pictures = [photograph(i, 4000, 3000) for i in range(4)]
    with quick_checkpoints() as folder, serving(folder) as server:
        person = Unwatched(browser, server.url)
        for i in range(arguments.pictures):
            # Files on disk, as people have them: the browser would hold those that are on none.
            file = folder / f"part-{i}.jpg"
            file.write_bytes(commented(pictures[i % len(pictures)], i))
            person.choose(file)
            grown["scripts"].append(person.collect_garbage())
            grown["server"].append(server.memory())
            grown["browser"].append(browser_memory(browser))
            grown["disk"].append(server.disk())
            if (i + 1) % 10 == 0:
                print(f"  {i + 1} pictures: {now(grown)}", flush=True)
        peak = server.peak()
        person.leave()
    return {
        "pictures": arguments.pictures,
        "picture": "4000x3000",
        "mb": {name: growth(values) for name, values in grown.items()},
        "server_peak_mb": round(peak),
    }


def sessions(browser: Browser, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure the memory of the server over people who come, look at two pictures and leave."""
    grown: dict[str, list[float]] = {"server": [], "disk": []}
    with quick_checkpoints() as folder, serving(folder) as server:
        picture = photograph(4, 2000, 1500)
        for i in range(arguments.sessions):
            person = Person(browser, server.url)
            which = person.take("part.jpg", picture)
            for k in range(2):
                person.drop(which, 2 * i + k)
            person.leave()
            grown["server"].append(server.memory())
            grown["disk"].append(server.disk())
            if (i + 1) % 10 == 0:
                print(f"  {i + 1} sessions: {now(grown)}", flush=True)
    return {
        "sessions": arguments.sessions,
        "mb": {name: growth(values) for name, values in grown.items()},
    }


def crowd(browser: Browser, arguments: argparse.Namespace) -> dict[str, Any]:
    """Let many people drop a picture at once; check that each gets the labels of their own."""
    with serving(arguments.checkpoints) as server:
        people = [Person(browser, server.url) for _ in range(arguments.people)]
        pictures = [part(100 + i, 600 + 8 * i, 480) for i in range(arguments.people)]
        for i, (person, picture) in enumerate(zip(people, pictures, strict=True)):
            person.take(f"part-{i}.jpg", jpeg(picture))
        for i, person in enumerate(people):
            person.begin_drop(0, i)
        drops = [person.end_drop() for person in people]
        masks = [_downloaded_mask(person, server) for person in people]
        for person in people:
            person.leave()
    (checkpoint,) = {arguments.checkpoints / f"{name}.safetensors" for name, _ in masks}
    segmenter = Segmenter.from_checkpoint(checkpoint, device="cpu")
    own = 0
    with tempfile.TemporaryDirectory() as folder:
        for i, (_, mask) in enumerate(masks):
            file = Path(folder) / f"{i}.jpg"
            file.write_bytes(jpeg(pictures[i]))
            own += np.array_equal(segmenter.predict(read_image(file)).labels, mask)
    told = [any(WAITING.search(text) for text in one.said) for one in drops]
    return {
        "people": arguments.people,
        "got_their_own_mask": own,
        "were_told_to_wait": sum(told),
        "seconds_to_result": summary([one.ms / 1000 for one in drops]),
    }


def _downloaded_mask(person: Person, server: Server) -> tuple[str, Any]:
    """Download the index mask as a person does; return the checkpoint's name and the labels."""
    page = person.page
    with page.expect_download() as started:
        page.locator(".sr-download").filter(has_text=re.compile("index", re.I)).first.click()
    file = server.folder / "downloaded.png"
    started.value.save_as(file)
    mask = read_mask(file, MAGNETIC_TILE)
    file.unlink()
    return page.input_value("#sr-model"), mask


@contextmanager
def quick_checkpoints() -> Iterator[Path]:
    """Make a folder with one checkpoint, of a quick, untrained model."""
    torch.manual_seed(0)
    mean, std = (120.0,), (40.0,)
    model = build_model(
        QUICK_MODEL, num_classes=len(MAGNETIC_TILE), channels=1, mean=mean, std=std
    ).eval()
    meta = Metadata(
        architecture=QUICK_MODEL, class_map=MAGNETIC_TILE, channels=1, mean=mean, std=std,
        data={"name": "nothing: untrained", "images": 0}, created="2000-01-01T00:00:00+00:00",
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="checkpoints-") as folder:
        Checkpoint(meta, model.state_dict()).save(Path(folder) / "quick.safetensors")
        yield Path(folder)


def summary(values: list[float]) -> dict[str, float]:
    """Return median and largest value."""
    return {"median": round(statistics.median(values), 2), "most": round(max(values), 2)}


def growth(values: list[float]) -> dict[str, float]:
    """Return how a curve begins and ends, as medians of tenths, and its rise per step.

    The rise is that of a straight line through the second half: what is loaded and reserved at the
    beginning is no leak.
    """
    tenth = max(1, len(values) // 10)
    later = values[len(values) // 2 :]
    rise = np.polyfit(range(len(later)), later, 1)[0] if len(later) > 1 else 0.0
    return {
        "after_a_tenth": round(statistics.median(values[tenth : 2 * tenth] or values)),
        "at_the_end": round(statistics.median(values[-tenth:])),
        "most": round(max(values)),
        "rise_per_step": round(float(rise), 3),
    }


def now(grown: dict[str, list[float]]) -> str:
    """Return the last values in words."""
    return ", ".join(f"{name} {values[-1]:.0f} MB" for name, values in grown.items())


def told(results: dict[str, Any]) -> str:
    """Return what the guide says of the results."""
    usable = results["start"]["seconds"]["page_usable"]["median"]
    switched = max(one["most"] for one in results["toggles"]["ms"].values())
    crowd, sessions = results["crowd"], results["sessions"]
    server = sessions["mb"]["server"]
    drawn = " and ".join(
        f"{one['beside_the_model_ms']['median'] / 1000:.1f} s at {size}"
        for size, one in results["drop"]["sizes"].items()
        if size != "640x480"
    )
    return "\n".join(
        [
            f"Measured in Chromium on the server's own machine ({results['start']['machine']}):",
            "",
            f"- The page can be used {usable:.0f} s after the command.",
            f"- A picture is drawn, beside the time of the model, {drawn} after it was dropped.",
            f"- A view or a class is switched in {switched:.0f} ms at most, at "
            f"{results['toggles']['picture']} pixels.",
            f"- Of {crowd['people']} people who drop a picture at once, "
            f"{crowd['got_their_own_mask']} get their own mask, and {crowd['were_told_to_wait']} "
            "are told to wait.",
            f"- Over {sessions['sessions']} sessions with a small model the server holds "
            f"{server['after_a_tenth']} MB early on, {server['at_the_end']} MB at the end, and "
            f"{server['most']} MB at most.",
        ]
    )


PARTS: dict[str, Callable[[Browser, argparse.Namespace], dict[str, Any]]] = {
    "start": start,
    "drop": drop,
    "toggles": toggles,
    "crowd": crowd,
    "sessions": sessions,
    "shift": shift,
}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--checkpoints", type=Path, default=BUNDLED)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=200, help="of 12 MP, in shift")
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--people", type=int, default=20, help="at once, in crowd")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    for name in arguments.only:
        load = os.getloadavg()[0]
        print(f"{name} ...", flush=True)
        with chromium() as browser:
            measured = PARTS[name](browser, arguments)
            entry = surroundings(browser) | {"load": round(load, 1)} | measured
        # Read anew each time: another part may have been measured meanwhile.
        results = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
        results[name] = entry
        write_result(arguments.out, results)
        if arguments.out == RESULTS:
            write_measured(PAGE, __file__, told(results))
        print(json.dumps(measured, indent=2), flush=True)


if __name__ == "__main__":
    main()
