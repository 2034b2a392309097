"""What a run on one picture imports: nothing that it does not need, so that it starts at once."""

import json
import subprocess
import sys

import numpy as np
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
