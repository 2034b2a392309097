"""Measure the editor of masks in Chromium, on pictures of 12 million pixels.

    python benchmarks/editor.py

Writes ``results/editor.json``. ``load`` is how many processes wanted a core of the machine when it
began: above 1, the times are those of a machine that does something else too.
"""

import argparse
import functools
import http.server
import json
import os
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from measure import write_measured, write_result
from people import chromium, surroundings

import segnet_res.web

RESULTS = Path(__file__).parent / "results" / "editor.json"
STATIC = Path(segnet_res.web.__file__).parent / "static"

PAGE = Path(__file__).resolve().parents[1] / "docs" / "page.md"

HTML = """<!doctype html>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css">
<link rel="stylesheet" href="viewer.css">
<link rel="stylesheet" href="annotate-editor.css">
<div class="sr"></div>
<script type="module">
  import { Editor } from "./annotate-editor.js";
  window.editor = new Editor();
  document.querySelector(".sr").append(window.editor.node);
</script>
"""

# Strokes through the middle of the window, a step of 12 pixels of the screen for each frame; the
# time is that from the pointer's event to the end of the frame that shows it.
MEASURE = """async ({ width, height, strokes, repeats }) => {
    const now = () => performance.now();
    const drawn = () => new Promise((done) => requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => done();
        port2.postMessage(0);
    }));
    const timed = async (act) => {
        await drawn();
        const start = now();
        await act();
        await drawn();
        return now() - start;
    };
    const times = {};
    const classes = [["sound", "#1b1f24"], ["scratch", "#e69f00"], ["dent", "#56b4e9"]]
        .map(([name, color], index) => ({ index, name, color }));
    times.open = [await timed(() => editor.open({
        image: { name: "picture", width, height }, picture: "picture.jpg", labels: "mask.png",
        classes, ignore: 255, background: 0, proposal: "mask.png",
    }))];
    const { viewer } = editor;
    const middle = [viewer.canvas.width / 2, viewer.canvas.height / 2];
    for (const { name, scale, size } of strokes) {
        viewer.fit();
        if (scale) viewer.zoom(scale / viewer.view.scale);
        editor.setSize(size);
        times[name] = [];
        for (let stroke = 0; stroke < repeats; stroke++) {
            const y = middle[1] - 100 + (200 * stroke) / repeats;
            const at = (i) => [middle[0] - 180 + 12 * i, y + (i % 3)];
            editor.press(at(0), false);
            for (let i = 1; i < 30; i++) {
                times[name].push(await timed(() => editor.point(at(i), [at(i)])));
            }
            (times.stroke_end ??= []).push(await timed(() => editor.release(at(29))));
        }
    }
    viewer.fit();
    for (let i = 0; i < repeats; i++) {
        (times.undo ??= []).push(await timed(() => editor.undo()));
    }
    editor.setTool("fill");
    for (let i = 0; i < repeats; i++) {
        editor.setClass(1 + (i % 2));
        (times.fill_background ??= []).push(await timed(() => {
            editor.press([1, 1], false);
            editor.release([viewer.view.x + 2, viewer.view.y + 2]);
        }));
        (times.undo_fill ??= []).push(await timed(() => editor.undo()));
    }
    for (let i = 0; i < repeats; i++) (times.png ??= []).push(await timed(() => editor.png()));
    return times;
}"""

STROKES = [
    {"name": "stroke_20px_fitted", "scale": None, "size": 20},
    {"name": "stroke_200px_fitted", "scale": None, "size": 200},
    {"name": "stroke_20px_one_to_one", "scale": 1, "size": 20},
    {"name": "stroke_200px_one_to_one", "scale": 1, "size": 200},
    {"name": "stroke_20px_enlarged", "scale": 4, "size": 20},
]


class Handler(http.server.SimpleHTTPRequestHandler):
    """The page's scripts, and the files of the benchmark."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self.folder = folder
        super().__init__(*arguments)  # type: ignore[arg-type]

    def translate_path(self, path: str) -> str:
        """Find a file in the benchmark's folder, else among the scripts."""
        name = path.lstrip("/")
        own = self.folder / name
        return str(own if own.exists() else STATIC / name)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serving(width: int, height: int) -> Iterator[str]:
    """Serve a page with the editor, a picture, and a mask of 300 regions."""
    rng = np.random.default_rng(1)
    mask = np.zeros((height, width), np.uint8)
    for _ in range(300):
        centre = tuple(int(v) for v in rng.integers(0, (width, height)))
        axes = tuple(int(v) for v in rng.integers(5, 80, 2))
        cv2.ellipse(mask, centre, axes, int(rng.integers(180)), 0, 360, int(rng.integers(1, 3)), -1)
    mask[:8, :8] = 0
    small = rng.integers(60, 200, (height // 8, width // 8), np.uint8)
    with tempfile.TemporaryDirectory(prefix="editor-") as name:
        folder = Path(name)
        (folder / "page.html").write_text(HTML, encoding="utf-8")
        cv2.imwrite(str(folder / "mask.png"), mask)
        preview = cv2.resize(small, (2048, 2048 * height // width), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / "picture.jpg"), preview)
        handler = functools.partial(Handler, folder)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever).start()
            yield f"http://127.0.0.1:{server.server_port}/page.html"
            server.shutdown()


def told(result: dict[str, Any]) -> str:
    """Return what the guide says of a result."""
    ms, size = result["ms"], result["picture"]
    stroke = max(one["median"] for name, one in ms.items() if name.startswith("stroke_"))
    worst = max(one["most"] for name, one in ms.items() if name.startswith("stroke_"))
    return (
        f"On a picture of {size['width']}x{size['height']} pixels a brush follows within "
        f"{stroke:.0f} ms ({worst:.0f} ms at worst), a step back takes {ms['undo']['median']:.0f} "
        f"ms, filling the background {ms['fill_background']['median']:.0f} ms (medians in "
        f"Chromium; {result['machine']})."
    )


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    wanted = {
        "width": arguments.width, "height": arguments.height, "strokes": STROKES,
        "repeats": arguments.repeats,
    }  # fmt: skip
    load = round(os.getloadavg()[0], 1)
    with serving(arguments.width, arguments.height) as url, chromium() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        page.wait_for_function("window.editor")
        times = page.evaluate(MEASURE, wanted)
        ms = {
            name: {"median": round(statistics.median(all_), 1), "most": round(max(all_), 1)}
            for name, all_ in times.items()
        }
        size = {"width": arguments.width, "height": arguments.height}
        result = surroundings(browser) | {"load": load, "picture": size, "ms": ms}
    write_result(arguments.out, result)
    if arguments.out == RESULTS:
        write_measured(PAGE, __file__, told(result))
    print(json.dumps(result["ms"], indent=2))


if __name__ == "__main__":
    main()
