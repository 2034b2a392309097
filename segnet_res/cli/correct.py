"""``segnet-res correct``: a corrected mask becomes part of a dataset."""

from pathlib import Path
from typing import Annotated

import typer


def correct(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A dataset folder.")],
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="The photograph.")],
    mask: Annotated[
        Path,
        typer.Argument(metavar="MASK", help="Labels of the dataset's classes, or their colours."),
    ],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who corrected it; is written down.")],
    state: Annotated[str, typer.Option(help="done, to-review or rejected.")] = "done",
    part: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", show_default="as its name tells", help="The part that it shows."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="SPLIT", show_default="as its part needs", help="train, val or test."),
    ] = None,
    proposed_by: Annotated[
        Path | None,
        typer.Option(
            metavar="CHECKPOINT", help="What proposed the mask; its name and hash are kept."
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Replace another mask; that one is kept in history/."),
    ] = False,
) -> None:
    """Save a corrected mask, and its picture where that is new, into a dataset.

    The same picture is never there twice: another mask of it is a new revision, for which --replace
    is needed. What is done goes to the split of other pictures of its part, else to the one of
    train and val that lacks most; what is to review or rejected is in none.

    Example: segnet-res correct data/dents photo.jpg mask.png --by Ada --part cap-07
    """
    from segnet_res.checkpoint import checkpoint_name, read_metadata, short_hash
    from segnet_res.cli._console import say
    from segnet_res.data import load_info
    from segnet_res.errors import UsageError
    from segnet_res.images import read_mask
    from segnet_res.retraining.corrections import ConflictError, save_correction

    if not by.strip():
        raise UsageError("--by is empty; say who corrected the mask, others will read it")
    if proposed_by is not None:
        # Refuses what is no checkpoint.
        read_metadata(proposed_by)
    labels = read_mask(mask, load_info(dataset).class_map)
    try:
        line = save_correction(
            dataset,
            picture,
            labels,
            name=picture.name,
            who=by,
            state=state.replace("-", " "),
            part=part,
            split=split,
            proposed_by=None
            if proposed_by is None
            else f"{checkpoint_name(proposed_by)} {short_hash(proposed_by)}",
            overwrite=replace,
        )
    except ConflictError as error:
        saved = error.annotation
        found = (
            "it has a mask already"
            if saved is None
            else f"{saved.who} saved another mask of it at {saved.when}"
        )
        raise UsageError(
            f"{picture.name}: {found}; look at that one, then replace it with --replace (it is "
            "kept in history/)"
        ) from error
    where = "in no split" if line.split is None else f"in {line.split}"
    say(f"{line.stem}: {line.state}, revision {line.revision}, {where}, part {line.part}")
