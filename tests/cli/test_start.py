"""What a run on one picture imports: nothing that it does not need, so that it starts at once.

And how it ends where Ctrl-C comes during the imports.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

# Each takes from a tenth of a second to several, and serves training, the page or exports alone.
UNNEEDED = [
    "albumentations",
    "gradio",
    "matplotlib",
    "onnx",
    "pandas",
    "scipy",
    "segmentation_models_pytorch",
    "sklearn",
    "tensorboard",
    "torchvision",
]


def test_a_run_on_one_picture_imports_only_what_it_needs(tmp_path, tiny_checkpoint):
    picture = tmp_path / "a.png"
    Image.fromarray(np.zeros((40, 50), np.uint8)).save(picture)
    program = (
        "import json, sys\nfrom segnet_res.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))\n"
    )
    words = ["predict", "--save", "masks,colors,overlays,confidence,polygons", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words, tiny_checkpoint, picture, tmp_path / "out"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"torch", "cv2", "segnet_res"} <= imported
    assert not imported & set(UNNEEDED)
    assert (tmp_path / "out" / "masks" / "a.png").is_file()


# Ctrl-C while Typer is imported: at once, or in a callback, where Python drops what is raised.
AT_ONCE = "raise KeyboardInterrupt"
IN_A_CALLBACK = """
def callback(_):
    raise KeyboardInterrupt
thing = set()
reference = weakref.ref(thing, callback)
del thing
for _ in range(3000):
    time.sleep(0.01)
"""


@pytest.mark.parametrize("interrupt", [AT_ONCE, IN_A_CALLBACK])
def test_ctrl_c_during_the_imports_ends_with_one_line(interrupt):
    program = f"""
import sys, time, weakref
class Interrupted:
    def find_spec(name, path=None, target=None):
        if name == "typer":
            exec({interrupt!r}, globals())
sys.meta_path.insert(0, Interrupted)
from segnet_res.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped by Ctrl-C\n")


def test_other_mistakes_in_callbacks_are_told_as_ever():
    program = """
import sys, weakref
from segnet_res.__main__ import main
class Mistaken:
    def find_spec(name, path=None, target=None):
        if name == "typer":
            thing = set()
            reference = weakref.ref(thing, lambda _: 1 / 0)
            del thing
sys.meta_path.insert(0, Mistaken)
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout[:11]) == (0, "segnet-res ")
    assert "ZeroDivisionError" in done.stderr


def test_the_program_starts_with_nothing_but_the_standard_library():
    program = "import segnet_res.__main__, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    imported = {name for name in done.stdout.split() if name.startswith(("segnet_res", "typer"))}
    assert imported == {"segnet_res", "segnet_res.version", "segnet_res.__main__"}
