"""Measure what the command takes beside its libraries: ``segnet-res predict`` on one small picture.

    python benchmarks/start.py
    python benchmarks/start.py --rounds 9 --exported model.onnx

The command and a plain ``import torch`` take turns in processes of their own; figures are
medians. Their difference is what a person waits for beside torch: at most 2 seconds. Seconds of
the processor are given too, which a busy machine changes less.
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import write_measured, write_result

from segnet_res.data.synth import draw_part
from segnet_res.images import write_image

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINT = ROOT / "checkpoints" / "magnetic-tile.safetensors"
RESULTS = Path(__file__).parent / "results" / "start.json"
PAGE = ROOT / "docs" / "large.md"


def timed(command: list[str], cache: Path) -> tuple[float, float]:
    """Run a command; returns its seconds by the clock and of the processor.

    Args:
        command: Its words.
        cache: An empty folder. With a conversion that an earlier run has left, `predict` would
            need no torch, and be compared with what it does not import.
    """
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return medians over the rounds."""
    with tempfile.TemporaryDirectory() as name:
        picture = Path(name) / "picture.png"
        write_image(picture, draw_part(np.random.default_rng(0), size=(256, 256)).image)

        def predict(checkpoint: Path, number: int) -> list[str]:
            target = Path(name) / f"{checkpoint.suffix}-{number}"
            return [
                *(sys.executable, "-m", "segnet_res", "predict", "--quiet"),
                *(str(checkpoint), str(picture), str(target)),
            ]

        runs = {"import torch": lambda _: [sys.executable, "-c", "import torch"]}
        runs["predict"] = lambda number: predict(options.checkpoint, number)
        if options.exported is not None:
            runs["predict by an exported file"] = lambda number: predict(options.exported, number)
        load = os.getloadavg()[0]
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
        # The first round reads everything from the disk and counts nothing.
        for number in range(options.rounds + 1):
            for name_of, command in runs.items():
                found = timed(command(number), Path(name) / "cache")
                if number:
                    times[name_of].append(found)
    seconds = {name: statistics.median(wall for wall, _ in found) for name, found in times.items()}
    processor = {name: statistics.median(cpu for _, cpu in found) for name, found in times.items()}
    return {
        "machine": f"{platform.machine()} CPU, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "load": round(load, 1),
        "rounds": options.rounds,
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "processor_seconds": {name: round(value, 2) for name, value in processor.items()},
        "beside_torch": round(seconds["predict"] - seconds["import torch"], 2),
        "beside_torch_processor": round(processor["predict"] - processor["import torch"], 2),
    }


def told(result: dict[str, Any]) -> str:
    """Return what the guide says of a result."""
    return (
        f"`segnet-res predict` on one small picture takes {result['beside_torch']:.1f} s "
        f"({result['beside_torch_processor']:.1f} s of the processor) beside the import of torch "
        f"(medians of {result['rounds']} rounds; {result['machine']})."
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--exported", type=Path, help="an export, for which torch is not imported")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    result = measure(options)
    write_result(options.json, result)
    if options.json == RESULTS:
        write_measured(PAGE, __file__, told(result))
    for name, seconds in result["seconds"].items():
        processor = result["processor_seconds"][name]
        print(f"{name}: {seconds:.2f} s, {processor:.2f} s of the processor")


if __name__ == "__main__":
    main()
