"""Measure the peak memory of ``segnet-res predict`` on one large picture, with everything saved.

    python benchmarks/memory.py                              # 10,000 x 10,000 in colour
    python benchmarks/memory.py --side 30000 --grey --save masks

The picture is made of drawn parts. What counts is the greatest resident memory of the whole
command, libraries and model included, as the kernel tells it (VmHWM): Linux only. Each size
replaces its own entry of ``results/memory.json`` and leaves the others.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measure import peak_of, write_measured, write_result
from PIL import Image

from segnet_res.checkpoint import short_hash
from segnet_res.data.synth import draw_part

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINT = ROOT / "checkpoints" / "magnetic-tile.safetensors"
RESULTS = Path(__file__).parent / "results" / "memory.json"
PAGE = ROOT / "docs" / "large.md"
KINDS = "masks,colors,overlays,confidence,polygons"

# Side of a drawn part; enough that tiles of the model see different ones.
_PART = 500


def make_picture(path: Path, side: int, *, grey: bool) -> None:
    """Write a square picture of drawn parts, turned and mirrored at random."""
    rng = np.random.default_rng(0)
    parts = [draw_part(rng, size=(_PART, _PART)).image[..., 0] for _ in range(6)]
    # Pillow holds it, so that it can be larger than arrays of this script need be.
    picture = Image.new("L" if grey else "RGB", (side, side))
    for top in range(0, side, _PART):
        for left in range(0, side, _PART):
            part = np.rot90(parts[rng.integers(len(parts))], rng.integers(4))
            picture.paste(Image.fromarray(np.ascontiguousarray(part)), (left, top))
    picture.save(path, compress_level=1)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return the entry of one size."""
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        picture, target = Path(name) / "picture.png", Path(name) / "out"
        make_picture(picture, options.side, grey=options.grey)
        load = os.getloadavg()[0]
        command = [sys.executable, "-m", "segnet_res", "predict", "--quiet"]
        command += [str(options.checkpoint), str(picture), str(target)]
        command += [f"--save={options.save}", f"--backend={options.backend}", *options.options]
        peak, seconds = peak_of(command)
        masks = list((target / "masks").glob("*.png")) if "masks" in options.save else []
        if len(masks) != ("masks" in options.save):
            raise SystemExit(f"no mask came of {' '.join(command)}")
    pixels = options.side**2
    return {
        "checkpoint": options.checkpoint.name,
        "hash": short_hash(options.checkpoint),
        "side": options.side,
        "colour": not options.grey,
        "save": options.save.split(","),
        "backend": options.backend,
        "options": options.options,
        "peak_bytes": peak,
        "bytes_a_pixel": round(peak / pixels, 2),
        "seconds": round(seconds, 1),
        "load": round(load, 1),
        "machine": f"{platform.machine()} CPU, {os.cpu_count()} cores",
        "python": platform.python_version(),
    }


def told(results: dict[str, Any]) -> str:
    """Return what the guide says of the results."""
    lines = ["| picture | saved | backend | peak |", "|---|---|---|---:|"]
    for one in results.values():
        side, kind = f"{one['side']:,}", "colour" if one["colour"] else "grey"
        saved = ", ".join(one["save"]).replace("colors", "colours")
        backend = " ".join([one["backend"], *one["options"]])
        peak = f"{one['peak_bytes'] / 1e9:.2f} GB"
        lines.append(f"| {side} x {side}, {kind} | {saved} | {backend} | {peak} |")
    return "\n".join(lines)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--side", type=int, default=10_000, help="of the square picture, in pixels")
    parser.add_argument("--grey", action="store_true", help="one channel in place of three")
    parser.add_argument("--save", default=KINDS)
    parser.add_argument("--backend", default="torch")
    parser.add_argument("--folder", type=Path, help="where there is room for picture and results")
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("options", nargs="*", help="more options of predict, after --")
    options = parser.parse_args()
    entry = measure(options)
    kind = "grey" if options.grey else "colour"
    name = " ".join([f"{options.side} {kind}", options.backend, options.save, *options.options])
    results = json.loads(options.json.read_text(encoding="utf-8")) if options.json.exists() else {}
    results[name] = entry
    write_result(options.json, results)
    if options.json == RESULTS:
        write_measured(PAGE, __file__, told(results))
    print(f"{name}: {entry['peak_bytes'] / 1e6:.0f} MB, {entry['seconds']:.0f} s")


if __name__ == "__main__":
    main()
