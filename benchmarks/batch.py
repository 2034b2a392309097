"""What a run over many pictures costs beside the model, and how soon a hot folder answers.

    python benchmarks/batch.py
    python benchmarks/batch.py --count 100000 --arrivals 50 --folder /data/scratch

The run: so many tiny pictures through a model that answers at once, then again with nothing to do,
each in a process of its own. The hot folder: `segnet-res predict --watch` with the bundled
checkpoint on a folder with so many old files; pictures arrive one after the other, and the clock
runs from the moment that a file is complete until its mask is there.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import write_measured, write_result
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results" / "batch.json"
PAGE = ROOT / "docs" / "batch.md"

# A run with a model that takes no time; tells what the whole process took.
RUN = """
import resource, sys, time
from pathlib import Path
import numpy as np
from segnet_res.classes import ClassMap
from segnet_res.inference import FolderRun, Segmenter
from segnet_res.inference.runtime import NumpyRuntime

class Nothing(NumpyRuntime):
    backend, device, precision = "torch", "CPU", "float32"
    def logits(self, images, mirror=()):
        return np.zeros((len(images), 2, *images.shape[1:3]), np.float32)

start = time.perf_counter()
segmenter = Segmenter(Nothing(), ClassMap.from_names(["sound", "scratch"]), channels=1)
count = sum(1 for _ in FolderRun(Path(sys.argv[1]), Path(sys.argv[2])).results(segmenter))
used = resource.getrusage(resource.RUSAGE_SELF)
# Not ru_maxrss, which a process takes over from the one that started it.
status = Path("/proc/self/status").read_text().splitlines()
peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
print(count, time.perf_counter() - start, used.ru_utime + used.ru_stime, peak)
"""


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--arrivals", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="where to work; on a disk like the real one")
    parser.add_argument("--json", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        result = {
            "machine": f"{platform.machine()} CPU, {os.cpu_count()} cores",
            "load": round(os.getloadavg()[0], 1),
            "runs": run(folder, arguments.count),
            "watch": watch(folder, arguments.count, arguments.arrivals),
        }
    print(json.dumps(result, indent=2))
    write_result(arguments.json, result)
    if arguments.json == RESULTS:
        write_measured(PAGE, __file__, told(result))


def told(result: dict[str, Any]) -> str:
    """Return what the guide says of a result."""
    runs, watched = result["runs"], result["watch"]
    first, few = runs["first"], runs["few"]
    return "\n".join(
        [
            f"Measured ({result['machine']}, load {result['load']} before):",
            "",
            "- Beside the model, a tiny picture takes "
            f"{first['processor_milliseconds_a_picture']:.1f} ms of the processor, and "
            f"{runs['again']['processor_milliseconds_a_picture']:.1f} ms in a rerun that finds "
            "nothing to do.",
            f"- {first['pictures']:,} pictures need {first['peak_memory_mb']:.0f} MB of memory "
            f"where {few['pictures']:,} need {few['peak_memory_mb']:.0f}.",
            f"- Beside {watched['old_files']:,} old files in a hot folder, the mask of a small "
            f"picture is there {watched['seconds_median']:.2f} s after the file is complete, "
            f"{watched['seconds_worst']:.2f} s at worst (median and worst of "
            f"{watched['arrivals']} with the bundled checkpoint).",
        ]
    )


def run(folder: Path, count: int) -> dict[str, Any]:
    """Return what a run over tiny pictures takes, and one that has nothing to do."""
    (folder / "pictures").mkdir()
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(folder / "one.png")
    content = (folder / "one.png").read_bytes()
    found: dict[str, Any] = {"pictures": count}
    for few, source in ((count // 10, folder / "few"), (count, folder / "pictures")):
        source.mkdir(exist_ok=True)
        for i in range(few):
            (source / f"picture-{i:06}.png").write_bytes(content)
    for what, source in (("few", "few"), ("first", "pictures"), ("again", "pictures")):
        command = [sys.executable, "-c", RUN, str(folder / source), str(folder / f"out-{source}")]
        ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        done, seconds, processor, memory = map(float, ended.stdout.split())
        found[what] = {
            "pictures": int(done),
            "milliseconds_a_picture": 1000 * seconds / done,
            "processor_milliseconds_a_picture": 1000 * processor / done,
            "peak_memory_mb": memory / 1000,
        }
    size = (folder / "out-pictures" / "manifest.jsonl").stat().st_size
    found["manifest_bytes_a_picture"] = size / count
    return found


def watch(folder: Path, count: int, arrivals: int) -> dict[str, Any]:
    """Return the seconds from a complete file to its mask beside so many old files."""
    hot, target = folder / "hot", folder / "out-hot"
    hot.mkdir()
    for i in range(count):
        old = hot / f"old-{i:06}.png"
        old.touch()
        os.utime(old, (1e9, 1e9))
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (256, 256), np.uint8)).save(folder / "part.png")
    content = (folder / "part.png").read_bytes()
    checkpoint = ROOT / "checkpoints/magnetic-tile.safetensors"
    command = [sys.executable, "-m", "segnet_res", "predict", str(checkpoint), str(hot)]
    seconds = []
    with subprocess.Popen(
        [*command, str(target), "--watch", "--quiet", "--backend", "torch"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        manifest = target / "manifest.jsonl"
        # The old files are looked at first.
        while not manifest.exists() or manifest.read_bytes().count(b"\n") <= count:
            assert process.poll() is None
            time.sleep(0.5)
        for i in range(arrivals + 1):
            time.sleep(float(rng.uniform(0.5, 1.5)))
            (hot / f"new-{i:04}.png").write_bytes(content)
            start = time.perf_counter()
            while not (target / f"masks/new-{i:04}.png").exists():
                time.sleep(0.002)
            seconds.append(time.perf_counter() - start)
        process.terminate()
    # The first one warms the model up.
    del seconds[0]
    return {
        "old_files": count,
        "arrivals": len(seconds),
        "seconds_median": statistics.median(seconds),
        "seconds_worst": max(seconds),
    }


if __name__ == "__main__":
    main()
