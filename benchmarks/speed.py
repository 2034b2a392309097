"""Measure how fast pictures become masks: the steps of the way, the backends, and peers.

    python benchmarks/speed.py                                     # the bundled checkpoint, CPU
    python benchmarks/speed.py --json speed.json --quick           # a minute, rougher
    python benchmarks/speed.py --device cuda                       # eager, bfloat16, compiled

All that is compared takes turns on the same pictures, round by round, so that a machine that slows
down for a while slows down all of them; figures are medians over the rounds. Pictures are drawn
(`segnet_res.data.synth`), the peers' weights are random: neither changes the time. Memory is the
peak of a process of its own that segments the same pictures.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import peak_of, write_measured, write_result

from segnet_res import Segmenter
from segnet_res.checkpoint import Checkpoint, Metadata, read_metadata, short_hash
from segnet_res.data.synth import draw_part
from segnet_res.images import Channels, UInt8Array, read_image, to_channels, write_image, write_mask
from segnet_res.inference import FolderRun
from segnet_res.inference.automatic import prepare_backend
from segnet_res.models import build_model, describe_device, resolve_device

ROOT = Path(__file__).parents[1]
BUNDLED = ROOT / "checkpoints" / "magnetic-tile.safetensors"
RESULTS = Path(__file__).parent / "results" / "speed.json"

PAGE = ROOT / "docs" / "speed.md"

UNET18, UNET34 = "smp:unet-resnet18", "smp:unet-resnet34"

# What runs an export, and in which precisions.
_EXPORTED = {"onnxruntime": ("float32",), "openvino": ("float32", "bfloat16")}

Run = Callable[[UInt8Array], object]


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    pictures: int
    height: int
    width: int
    rounds: int


FULL, QUICK = Scale(3, 768, 1024, 5), Scale(2, 384, 512, 3)


class Plain:
    """A model called as a script of one's own would: no tiles, no checks, labels by argmax.

    Args:
        architecture: Name for `build_model`; weights are random.
        meta: Tells classes and channels.
        device: Where it computes.
        precision: ``float32`` or ``bfloat16``.
        channels_last: Whether memory is laid out for convolutions.
        compiled: Whether `torch.compile` gets the model.
    """

    def __init__(
        self,
        architecture: str,
        meta: Metadata,
        device: torch.device,
        *,
        precision: str = "float32",
        channels_last: bool = False,
        compiled: bool = False,
    ) -> None:
        model = build_model(
            architecture, num_classes=len(meta.class_map), channels=meta.channels
        ).eval()
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        model = model.to(device).to(memory_format=self.layout)
        self.model: Any = torch.compile(model) if compiled else model
        self.device = device
        self.channels: Channels = 1 if meta.channels == 1 else 3
        self.precision = precision

    @torch.inference_mode()
    def __call__(self, image: UInt8Array) -> UInt8Array:
        """Return the labels of a picture."""
        pixels = torch.from_numpy(to_channels(image, self.channels)).permute(2, 0, 1)[None]
        pixels = pixels.to(self.device).contiguous(memory_format=self.layout)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            logits = self.model(pixels)
        labels: UInt8Array = logits.argmax(1)[0].to(torch.uint8).cpu().numpy()
        return labels


def rivals(checkpoint: Path, device: torch.device, folder: Path) -> dict[str, Run]:
    """Return everything that is compared, by name; what is not installed is left out."""
    meta = read_metadata(checkpoint)
    size = meta.architecture.rpartition("-")[2]
    plain = {"smp unet-resnet18": UNET18, "smp unet-resnet34": UNET34, "segnet": f"segnet-{size}"}
    runs: dict[str, Run] = {}
    for name, architecture in plain.items():
        runs[f"{name}, torch float32"] = Plain(architecture, meta, device)
        runs[f"{name}, torch float32 channels_last"] = Plain(
            architecture, meta, device, channels_last=True
        )
    runs["ours, torch float32"] = _ours(checkpoint, device, "torch", "float32")
    runs["ours, torch bfloat16"] = _ours(checkpoint, device, "torch", "bfloat16")
    if device.type == "cuda":
        for name, architecture in {"ours": meta.architecture, "smp unet-resnet18": UNET18}.items():
            for word, compiled in (("channels_last", False), ("compiled", True)):
                runs[f"{name}, torch bfloat16 {word}"] = Plain(
                    architecture,
                    meta,
                    device,
                    precision="bfloat16",
                    channels_last=True,
                    compiled=compiled,
                )
        return runs
    for backend, precisions in _EXPORTED.items():
        if not _installed(backend):
            continue
        for precision in precisions:
            runs[f"ours, {backend} {precision}"] = _ours(checkpoint, device, backend, precision)
            for name, architecture in plain.items():
                peer = _untrained(architecture, meta, folder)
                runs[f"{name}, {backend} {precision}"] = _ours(peer, device, backend, precision)
    return runs


def _ours(checkpoint: Path, device: torch.device, backend: str, precision: str) -> Run:
    segmenter = Segmenter.from_checkpoint(checkpoint, str(device), backend, precision=precision)
    return segmenter.predict


def _untrained(architecture: str, meta: Metadata, folder: Path) -> Path:
    """Write a checkpoint with random weights, which is what a backend converts."""
    path = folder / f"{architecture.replace(':', '-')}.safetensors"
    if not path.exists():
        torch.manual_seed(0)
        model = build_model(architecture, num_classes=len(meta.class_map), channels=meta.channels)
        # Whatever the random weights answer, it is the first class: backends are compared by their
        # labels before they are used, and rounding must decide nothing.
        *_, head = (layer for layer in model.modules() if isinstance(layer, torch.nn.Conv2d))
        assert head.bias is not None
        head.bias.data[0] = 1e3
        about = Metadata(architecture, meta.class_map, meta.channels, mean=meta.mean, std=meta.std)
        Checkpoint(about, model.state_dict()).save(path)
    return path


def _each(runs: dict[str, Run], images: list[UInt8Array]) -> dict[str, Callable[[], object]]:
    return {
        name: lambda run=run: [run(image) for image in images]  # type: ignore[misc]
        for name, run in runs.items()
    }


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return describe_device(device)
    return f"a CPU of {os.cpu_count()} cores ({platform.machine()})"


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def in_turn(
    steps: dict[str, Callable[[], object]], *, rounds: int, pictures: int
) -> dict[str, float]:
    """Return the seconds a picture of each step: medians over rounds in which all take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if number:  # the first round warms up
                seconds[name].append((time.perf_counter() - start) / pictures)
    return {name: statistics.median(values) for name, values in seconds.items()}


def steps_of(
    segmenter: Segmenter, files: list[Path], images: list[UInt8Array], folder: Path
) -> dict[str, Callable[[], object]]:
    """Return decoding, model and encoding of all pictures, and the run that does all of it."""
    labels = [segmenter.predict(image).labels for image in images]

    def encode() -> None:
        for i, one in enumerate(labels):
            write_mask(folder / f"{i}.png", one)

    def whole() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as target:
            run = FolderRun(files[0].parent, Path(target))
            assert all(result.error is None for result in run.results(segmenter))

    return {
        "decode": lambda: [read_image(file, segmenter.channels) for file in files],
        "model": lambda: [segmenter.predict(image) for image in images],
        "encode": encode,
        "run": whole,
    }


def command(checkpoint: Path, source: Path, folder: Path, options: list[str]) -> dict[str, float]:
    """Run ``segnet-res predict`` in a process of its own; returns its seconds and peak memory."""
    with tempfile.TemporaryDirectory(dir=folder) as target:
        words = [sys.executable, "-m", "segnet_res", "predict", "--quiet"]
        peak, seconds = peak_of([*words, str(checkpoint), str(source), target, *options])
        return {"seconds": seconds, "peak_mib": peak / 2**20}


def measure(checkpoint: Path, device: torch.device, scale: Scale) -> dict[str, Any]:
    """Return everything that was measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "pictures"
        source.mkdir()
        for i in range(scale.pictures):
            part = draw_part(np.random.default_rng(i), size=(scale.height, scale.width))
            write_image(source / f"{i:03}.png", part.image)
        files = sorted(source.iterdir())
        channels: Channels = 1 if read_metadata(checkpoint).channels == 1 else 3
        images = [read_image(file, channels) for file in files]
        pace = {"rounds": scale.rounds, "pictures": scale.pictures}
        seconds = in_turn(_each(rivals(checkpoint, device, folder), images), **pace)
        # As a long run of the command does.
        prepare_backend(checkpoint, device=device.type)
        chosen = Segmenter.from_checkpoint(checkpoint, str(device))
        steps = in_turn(steps_of(chosen, files, images, folder), **pace)
        options = ["--device", device.type]
        commands = {
            backend: command(checkpoint, source, folder, [*options, "--backend", backend])
            for backend in ("torch", chosen.backend)
        }
    return {
        "checkpoint": checkpoint.name,
        "hash": short_hash(checkpoint),
        "pictures": f"{scale.pictures} drawn parts of {scale.width}x{scale.height} pixels",
        "rounds": scale.rounds,
        "machine": _machine(device),
        "versions": {
            package: version(package)
            for package in ("torch", "onnxruntime", "openvino")
            if _installed(package)
        },
        "chosen_backend": chosen.backend,
        "seconds_a_picture": seconds,
        "seconds_of_steps": steps,
        "commands": commands,
        "ratios": ratios(seconds, steps, chosen.backend),
    }


def ratios(seconds: dict[str, float], steps: dict[str, float], backend: str) -> dict[str, float]:
    """Return how many times as fast one is as another; above 1: the first is faster."""
    ours = seconds[f"ours, {backend} float32"]
    result = {"pipeline_over_model": steps["model"] / steps["run"]}
    for peer, key in {
        "smp unet-resnet18": "smp_unet_resnet18",
        "smp unet-resnet34": "smp_unet_resnet34",
        "segnet": "segnet",
    }.items():
        result[f"ours_over_{key}"] = seconds[f"{peer}, torch float32"] / ours
        result[f"ours_over_{key}_channels_last"] = (
            seconds[f"{peer}, torch float32 channels_last"] / ours
        )
        for same in ("torch", *_EXPORTED):
            if f"ours, {same} float32" in seconds:
                # Ours is always laid out as channels_last by torch, so the peer is too.
                layout = " channels_last" if same == "torch" else ""
                result[f"ours_over_{key}_both_by_{same}"] = (
                    seconds[f"{peer}, {same} float32{layout}"] / seconds[f"ours, {same} float32"]
                )
    for name in seconds:
        if name.startswith("ours, "):
            key = name.removeprefix("ours, ").replace(" ", "_")
            result[f"{key}_over_torch_float32"] = seconds["ours, torch float32"] / seconds[name]
    return {key: float(np.round(value, 3)) for key, value in result.items()}


def tables(result: dict[str, Any]) -> str:
    """Return what `docs/speed.md` shows of a measurement: ratios, never seconds."""
    seconds = result["seconds_a_picture"]
    base = seconds["smp unet-resnet18, torch float32"]
    lines = [
        f"On {result['machine']}, by {result['checkpoint']} ({result['hash']}), "
        f"{result['pictures']}, median of {result['rounds']} rounds; "
        + ", ".join(f"{name} {number}" for name, number in result["versions"].items())
        + ".",
        "",
        "| | times as many pictures a second as smp Unet-resnet18 by torch float32 |",
        "|---|---:|",
    ]
    ranked = sorted(seconds.items(), key=lambda item: item[1])
    lines += [f"| {name} | {base / value:.2f} |" for name, value in ranked]
    steps = result["seconds_of_steps"]
    lines += [
        "",
        f"| step, backend {result['chosen_backend']} | share of the model's time |",
        "|---|---:|",
    ]
    lines += [f"| {name} | {value / steps['model']:.3f} |" for name, value in steps.items()]
    lines += ["", "| the whole command by | peak memory |", "|---|---:|"]
    lines += [
        f"| {backend} | {one['peak_mib']:.0f} MiB |" for backend, one in result["commands"].items()
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, nargs="?", default=BUNDLED)
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    parser.add_argument("--quick", action="store_true", help="fewer, smaller pictures and rounds")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    arguments = parser.parse_args()
    result = measure(
        arguments.checkpoint,
        resolve_device(arguments.device),
        QUICK if arguments.quick else FULL,
    )
    write_result(arguments.json, result)
    if arguments.json == RESULTS:
        write_measured(PAGE, __file__, tables(result))
    for name, seconds in sorted(result["seconds_a_picture"].items(), key=lambda item: item[1]):
        print(f"{name:45} {1000 * seconds:8.1f} ms a picture")
    for backend, one in result["commands"].items():
        print(
            f"the command by {backend}: {one['seconds']:.1f} s, {one['peak_mib']:.0f} MiB at most"
        )
    for name, ratio in result["ratios"].items():
        print(f"{name:45} {ratio:8.2f}")


if __name__ == "__main__":
    main()
