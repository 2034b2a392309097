"""``segnet-res promote`` and ``rollback``: which checkpoint serves."""

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segnet_res.cli._console import EXIT_SOME_FAILED
from segnet_res.cli._options import BackendOption, DeviceOption
from segnet_res.cli.compare import SmallestRegionOption

if TYPE_CHECKING:
    from segnet_res.retraining.comparison import Comparison, Exam
    from segnet_res.retraining.promotion import Promotion

RegistryOption = Annotated[
    Path,
    typer.Option(metavar="DIR", help="Folder of checkpoints, which holds registry.jsonl."),
]
ByOption = Annotated[str, typer.Option(metavar="NAME", help="Who wants it; is written down.")]
WhyOption = Annotated[str, typer.Option(metavar="TEXT", help="The reason; is written down.")]


def promote(
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE", help="A .safetensors file.")],
    golden: Annotated[Path, typer.Option(metavar="FILE", help="The golden set to compare on.")],
    by: ByOption,
    why: WhyOption,
    registry: RegistryOption = Path("checkpoints"),
    accept_misses: Annotated[
        str | None,
        typer.Option(
            metavar="REASON", help="Promote in spite of newly missed defects; is written down."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", show_default="its own or its run's", help="Name of the copy in DIR."
        ),
    ] = None,
    smallest_region: SmallestRegionOption = 5,
    device: DeviceOption = "auto",
    backend: BackendOption = "auto",
) -> None:
    """Let a candidate serve, after it was compared with the checkpoint that serves now.

    Where none serves yet, it is compared with the checkpoint of the folder that it was trained
    from. A candidate that misses a defect which the other finds is refused, exit code 1, unless
    that is accepted with a reason. The candidate is copied into the folder, where nothing is
    overwritten, and registry.jsonl gets a line: who, when, why, the comparison, the data.

    Example: segnet-res promote runs/new/best.safetensors --golden golden/tiles.json --by Ada
    --why "finds the dents of the new press"
    """
    from segnet_res.cli._console import fail, note, say
    from segnet_res.retraining.comparison import open_exam
    from segnet_res.retraining.promotion import PromotionError, check_words, plan_promotion
    from segnet_res.retraining.promotion import promote as promoted
    from segnet_res.retraining.registry import registry_folder

    check_words(by=by, why=why, accept_misses=accept_misses)
    plan = plan_promotion(candidate, registry_folder(registry), name)
    for text in _training_notes(plan, golden):
        note(text)
    exam = open_exam(golden)
    comparison = _compared(plan, exam, smallest_region, device, backend)
    try:
        entry = promoted(plan, exam, comparison, by=by, why=why, accept_misses=accept_misses)
    except PromotionError as error:
        fail(str(error), EXIT_SOME_FAILED)
    say(f"{entry.checkpoint} serves in {plan.registry.folder}")
    if entry.before is not None:
        back = f"segnet-res rollback --registry {shlex.quote(str(plan.registry.folder))}"
        note(f"back to {entry.before}: {back} --by NAME --why TEXT")


def rollback(by: ByOption, why: WhyOption, registry: RegistryOption = Path("checkpoints")) -> None:
    """Let the checkpoint serve again that served before.

    Nothing is taken away: registry.jsonl gets one more line. A second rollback goes one further
    back.

    Example: segnet-res rollback --by Ada --why "overkill on the night shift"
    """
    from segnet_res.cli._console import say
    from segnet_res.retraining.promotion import check_words
    from segnet_res.retraining.registry import registry_folder, roll_back

    check_words(by=by, why=why)
    folder = registry_folder(registry)
    entry = roll_back(folder, by=by, why=why)
    say(f"{entry.checkpoint} serves in {folder} again, no longer {entry.before}")


def _training_notes(plan: "Promotion", golden: Path) -> tuple[str, ...]:
    from segnet_res.retraining.golden import load_golden
    from segnet_res.retraining.promotion import check_training

    steps = check_training(plan, load_golden(golden))
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            notes: tuple[str, ...] = stop.value
            return notes


def _compared(
    plan: "Promotion", exam: "Exam", smallest_region: int, device: str, backend: str
) -> "Comparison | None":
    from segnet_res.cli._console import note
    from segnet_res.cli.compare import print_comparison, run_comparison
    from segnet_res.inference import Segmenter

    if plan.parent is None:
        note(
            f"{plan.registry.folder}: no checkpoint serves here yet, and the one that "
            f"{plan.name} was trained from is not here; nothing to compare with"
        )
        return None
    last = plan.last_exam
    if last is not None and last != exam.fingerprint:
        note("the golden set is another one than that of the promotion before")
    note(f"comparing with {plan.parent.stem}")
    result = run_comparison(
        plan.parent,
        plan.candidate,
        exam,
        partial(Segmenter.from_checkpoint, device=device, backend=backend),
        smallest_region=smallest_region,
    )
    print_comparison(result)
    return result
