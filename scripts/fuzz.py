"""Damage picture files in thousands of ways and read them: nothing but ImageError may come of it.

    python scripts/fuzz.py --count 20000 --seed 7

Sound files of every format and kind are changed at random: bytes and numbers of the header, chunks
that are cut, doubled and swapped, halves of two files joined, checksums of PNG put right again so
that the damage is looked at. Each is read as a picture and as a mask, in a process of its own that
may take so much memory and so long for a file. A file that raises something else, warns, ends the
process or takes too long is kept, and its name is printed.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from segnet_res.classes import ClassMap
from segnet_res.errors import ImageError
from segnet_res.images import image_size, is_grey, read_mask, read_picture

CLASSES = ClassMap.from_names(["sound", "scratch", "dent"])

# Numbers that programs fall over: none, one, the ends of every width, and what becomes negative.
ODD_NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)

Rng = random.Random


# ---- sound files


def sound_files() -> dict[str, bytes]:
    """Return a small file of every format and kind that is read, by its name."""
    rng = np.random.default_rng(1)
    color = Image.fromarray(rng.integers(0, 256, (24, 31, 3), np.uint8))
    flat = Image.fromarray(np.full((40, 33, 3), 77, np.uint8))
    grey, wide = color.convert("L"), Image.fromarray(rng.integers(0, 65536, (24, 31), np.uint16))
    exif = Image.Exif()
    exif[0x0112] = 6
    files: dict[str, bytes] = {}

    def add(name: str, image: Image.Image, **options: object) -> None:
        buffer = io.BytesIO()
        suffix = name.rsplit(".", 1)[1]
        image.save(buffer, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()), **options)
        files[name] = buffer.getvalue()

    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        add(f"{mode}.png", color.convert(mode))
    add("I16.png", wide)
    add("exif.png", color, exif=exif)
    add("flat.png", flat)
    add("film.png", grey, save_all=True, append_images=[grey.rotate(90)])
    for mode in ("L", "RGB", "CMYK"):
        add(f"{mode}.jpg", color.convert(mode))
    add("progressive.jpg", color, progressive=True, exif=exif)
    for mode in ("1", "L", "RGB", "RGBA", "CMYK", "P", "F", "I"):
        add(f"{mode}.tif", color.convert(mode))
    add("I16.tif", wide)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        add(f"{compression}.tif", color, compression=compression)
    add("group4.tif", color.convert("1"), compression="group4")
    add("pages.tif", grey, save_all=True, append_images=[grey, grey], exif=exif)
    add("big.tif", color, big_tiff=True)
    add("lossy.webp", color, exif=exif)
    add("lossless.webp", color.convert("RGBA"), lossless=True)
    add("film.webp", grey, save_all=True, append_images=[grey.rotate(90)])
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        add(f"{mode}.bmp", color.convert(mode))
    return files


# ---- damage


def damaged(rng: Rng, files: dict[str, bytes]) -> tuple[str, bytes]:
    """Return a damaged file and its name."""
    name = rng.choice(sorted(files))
    content = bytearray(files[name])
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        content = rng.choice(DAMAGES)(rng, content, files) or bytearray(b"\0")
    # Most damage of a PNG is found by its checksums; put right, the readers have to face it.
    if name.endswith(".png") and rng.random() < 0.7:
        content = with_checksums(content)
    return name, bytes(content)


def place(rng: Rng, content: bytearray) -> int:
    """Return a place in a file, more often in its first hundred bytes."""
    return rng.randrange(min(len(content), 100) if rng.random() < 0.6 else len(content))


def change_bytes(rng: Rng, content: bytearray, _files: dict[str, bytes]) -> bytearray:
    """Set a few bytes to anything."""
    for _ in range(rng.randint(1, 4)):
        content[place(rng, content)] = rng.randrange(256)
    return content


def change_bit(rng: Rng, content: bytearray, _files: dict[str, bytes]) -> bytearray:
    """Turn one bit."""
    content[place(rng, content)] ^= 1 << rng.randrange(8)
    return content


def change_number(rng: Rng, content: bytearray, _files: dict[str, bytes]) -> bytearray:
    """Set a number of 2, 4 or 8 bytes to one that programs fall over."""
    form = rng.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
    number = rng.choice(ODD_NUMBERS) % (1 << 8 * struct.calcsize(form))
    at = place(rng, content)
    content[at : at + struct.calcsize(form)] = struct.pack(form, number)
    return content


def cut_end(rng: Rng, content: bytearray, _files: dict[str, bytes]) -> bytearray:
    """Leave the end away, or fill it with zeros."""
    at = place(rng, content)
    return content[:at] + (bytes(len(content) - at) if rng.random() < 0.5 else b"")


def cut_out(rng: Rng, content: bytearray, _files: dict[str, bytes]) -> bytearray:
    """Leave a piece away."""
    at = place(rng, content)
    return content[:at] + content[at + rng.randint(1, 40) :]


def repeat(rng: Rng, content: bytearray, _files: dict[str, bytes]) -> bytearray:
    """Insert a piece once more, up to a thousand times."""
    at, size = place(rng, content), rng.randint(1, 60)
    return content[:at] + content[at : at + size] * rng.choice((1, 2, 1000)) + content[at:]


def insert(rng: Rng, content: bytearray, _files: dict[str, bytes]) -> bytearray:
    """Insert bytes of any kind."""
    at = place(rng, content)
    return content[:at] + rng.randbytes(rng.choice((1, 4, 300))) + content[at:]


def join(rng: Rng, content: bytearray, files: dict[str, bytes]) -> bytearray:
    """Go on with the end of another file."""
    other = files[rng.choice(sorted(files))]
    return content[: place(rng, content)] + other[rng.randrange(len(other)) :]


Damage = Callable[[Rng, bytearray, dict[str, bytes]], bytearray]
DAMAGES: tuple[Damage, ...] = (
    change_bytes, change_bit, change_number, cut_end, cut_out, repeat, insert, join
)  # fmt: skip


def with_checksums(content: bytearray) -> bytearray:
    """Put the checksum of every chunk of a PNG right, as far as its chunks can be followed."""
    at = 8
    while at + 12 <= len(content):
        end = at + 8 + struct.unpack_from(">I", content, at)[0]
        if end + 4 > len(content):
            break
        struct.pack_into(">I", content, end, zlib.crc32(content[at + 4 : end]))
        at = end + 4
    return content


# ---- reading


def case(seed: int, number: int, files: dict[str, bytes]) -> tuple[str, bytes]:
    """Return the damaged file of this number, the same whenever it is asked for."""
    return damaged(random.Random(f"{seed}/{number}"), files)


def read_everything(path: Path) -> int:
    """Read a file in every way; returns in how many it could be read.

    Raises:
        Exception: whatever is no ImageError, and what an ImageError must not be like.
    """
    readers: tuple[Callable[[], object], ...] = (
        lambda: read_picture(path, 3),
        lambda: read_picture(path, 1),
        lambda: read_mask(path, CLASSES),
        lambda: image_size(path),
        lambda: is_grey(path),
    )
    sound = 0
    for read in readers:
        try:
            read()
            sound += 1
        except ImageError as error:
            if path.name not in str(error) or "\n" in str(error):
                raise AssertionError(f"no readable line: {error}") from error
    return sound


def work(seed: int, numbers: range, folder: Path, memory: int, seconds: int) -> None:
    """Read the files of these numbers; says on stdout which is next, and what was read."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    warnings.simplefilter("error")
    files = sound_files()
    for number in numbers:
        name, content = case(seed, number, files)
        path = folder / f"{number}-{name}"
        path.write_bytes(content)
        say(f"next {number} {path.name}")
        # Their default action ends the process, also where C code never comes back to Python. The
        # first counts the time of the processor, of which a busy machine takes no more; the second
        # is for what waits without end.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.alarm(12 * seconds)
        try:
            sound = read_everything(path)
        except Exception:  # whatever it is, it is a finding
            say("failed " + traceback.format_exc().strip().replace("\n", "\\n"))
            continue
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
        path.unlink()
        say(f"read {sound}")


def say(line: str) -> None:
    """Write a line at once, so that it is there when the process is ended."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run(options: argparse.Namespace) -> Iterator[str]:
    """Read all files, in a new process after each that was ended; yields a line a finding."""
    done, end = options.start, options.start + options.count
    read = 0
    while done < end:
        arguments = [f"--start={done}", f"--count={end - done}", f"--seed={options.seed}"]
        arguments += [f"--memory={options.memory}", f"--seconds={options.seconds}"]
        process = subprocess.run(
            [sys.executable, __file__, "--work", f"--keep={options.keep}", *arguments],
            stdout=subprocess.PIPE,
            # libtiff comments on what it finds.
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        current = ""
        for line in process.stdout.splitlines():
            word, _, rest = line.partition(" ")
            if word == "next":
                done, current = int(rest.split()[0]) + 1, rest.split()[1]
            elif word == "failed":
                yield f"{current}: {rest}"
            else:
                read += int(rest) > 0
        if process.returncode < 0:
            name = signal.Signals(-process.returncode).name
            yield f"{current}: the process was ended by {name}"
        elif process.returncode:
            raise SystemExit(f"the worker ended with {process.returncode}")
    options.read = read


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=20_000, help="number of damaged files")
    parser.add_argument("--start", type=int, default=0, help="number of the first")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--memory", type=int, default=1_000_000_000, help="bytes of address space")
    parser.add_argument("--seconds", type=int, default=10, help="of the processor for a file")
    parser.add_argument("--keep", type=Path, help="folder for the files of findings")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.keep is None:
        options.keep = Path(tempfile.mkdtemp(prefix="fuzz-"))
    options.keep.mkdir(parents=True, exist_ok=True)
    if options.work:
        numbers = range(options.start, options.start + options.count)
        work(options.seed, numbers, options.keep, options.memory, options.seconds)
        return
    began = time.perf_counter()
    findings = 0
    for finding in run(options):
        findings += 1
        say(finding.replace("\\n", "\n"))
    seconds = time.perf_counter() - began
    say(
        f"{options.count} damaged files in {seconds:.0f} s: {options.read} could be read in some "
        f"way, {findings} findings" + (f" in {options.keep}" if findings else "")
    )
    if not findings:
        options.keep.rmdir()
    sys.exit(min(1, findings))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
