"""How good a model is on a split of a dataset: one confusion matrix over all its pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnet_res.boundary import border_counts
from segnet_res.classes import ClassMap
from segnet_res.data import Sample, SegmentationDataset, empty_split, fingerprint
from segnet_res.errors import DataError
from segnet_res.images import UInt8Array
from segnet_res.inference import Segmenter
from segnet_res.inference.pipeline import pixels_of, read_ahead
from segnet_res.metrics import ConfusionMatrix, Scores

# One thread decodes while the model computes; a second covers pictures that decode slowly.
_READERS = 2


@dataclass(frozen=True)
class PictureScore:
    """What one picture adds to the scores of a split.

    Attributes:
        stem: The picture.
        counts: (C, C) int64 pixels, row = truth, column = prediction.
        borders: (C, 2) int64 as `segnet_res.boundary.border_counts` gives them; None where they
            were not asked for.
    """

    stem: str
    counts: NDArray[np.int64]
    borders: NDArray[np.int64] | None = None


def evaluate(segmenter: Segmenter, dataset: SegmentationDataset) -> Scores:
    """Compare predictions and masks of a whole split.

    IoU is taken over the split's summed pixels, not averaged over pictures; pixels with the
    dataset's ignore_index count nowhere.

    Args:
        segmenter: Predicts; its classes must be those of the dataset, in the same order.
        dataset: One split.

    Raises:
        DataError: when the split is empty, classes or channels do not fit, or a file is unusable.
        DeviceError: when memory runs out.
    """
    *_, matrix = evaluate_each(segmenter, dataset)
    return matrix.scores()


def evaluate_each(segmenter: Segmenter, dataset: SegmentationDataset) -> Iterator[ConfusionMatrix]:
    """Yield the matrix of all pictures so far after each picture; always the same object.

    For callers that show progress; arguments and errors are those of `evaluate`.
    """
    matrix = ConfusionMatrix(dataset.class_map)
    for score in evaluate_pictures(segmenter, dataset):
        matrix.add(score.counts)
        yield matrix


def evaluate_pictures(
    segmenter: Segmenter, dataset: SegmentationDataset, *, borders: bool = False
) -> Iterator[PictureScore]:
    """Yield the counts of each picture, in the order of the split.

    Pictures are read ahead while the model computes.

    Args:
        segmenter: Predicts; its classes must be those of the dataset, in the same order.
        dataset: One split.
        borders: Whether to count the pixels along the borders too.

    Raises:
        DataError: when the split is empty, classes or channels do not fit, or a file is unusable.
        DeviceError: when memory runs out.
    """
    check_fit(segmenter, dataset)
    for sample in read_samples(dataset):
        yield score_picture(segmenter, sample, dataset.class_map, borders=borders)


def score_picture(
    segmenter: Segmenter, sample: Sample, class_map: ClassMap, *, borders: bool = False
) -> PictureScore:
    """Segment one picture and count pixels against its mask.

    Args:
        segmenter: Predicts.
        sample: The picture and its mask.
        class_map: The classes of the mask; those of the segmenter, in the same order.
        borders: Whether to count the pixels along the borders too.

    Raises:
        ValueError: when the mask has another size, or labels of no class.
        DeviceError: when memory runs out.
    """
    return score_labels(segmenter.predict(sample.image).labels, sample, class_map, borders=borders)


def score_labels(
    labels: UInt8Array, sample: Sample, class_map: ClassMap, *, borders: bool = False
) -> PictureScore:
    """Count the pixels of a prediction against the mask of its picture.

    Args:
        labels: (H, W) uint8, what was predicted.
        sample: The picture and its mask.
        class_map: The classes of both.
        borders: Whether to count the pixels along the borders too.

    Raises:
        ValueError: when the mask has another size, or labels of no class.
    """
    matrix = ConfusionMatrix(class_map)
    matrix.update(sample.labels, labels)
    along = border_counts(sample.labels, labels, class_map) if borders else None
    return PictureScore(sample.stem, matrix.counts, along)


def check_fit(segmenter: Segmenter, dataset: SegmentationDataset) -> None:
    """Refuse a split that a model cannot be measured on.

    Raises:
        DataError: when the split is empty, or classes or channels do not fit.
    """
    check_pictures(segmenter, dataset)
    known, needed = segmenter.class_map.names, dataset.class_map.names
    if known != needed:
        raise DataError(f"{dataset.info.name}: {_class_difference(known, needed)}")


def check_pictures(segmenter: Segmenter, dataset: SegmentationDataset) -> None:
    """Refuse a split whose pictures a model cannot segment, whatever its classes.

    Raises:
        DataError: when the split is empty, or channels do not fit.
    """
    name = dataset.info.name
    if not len(dataset):
        raise DataError(empty_split(dataset))
    # The other way round is exact: what is read as colour becomes the same grey as in `predict`.
    if dataset.channels < segmenter.channels:
        raise DataError(
            f"{name}: the pictures are read as grey, the checkpoint takes RGB; "
            "write `channels: 3` into dataset.yaml, or choose a checkpoint trained on grey"
        )


def trained_on(
    segmenter: Segmenter,
    dataset: SegmentationDataset,
    name: str = "the checkpoint",
    *,
    digest: str | None = None,
) -> str | None:
    """Return a sentence when a model was trained on just the pictures of a split, else None.

    Args:
        segmenter: The model; without metadata nobody knows.
        dataset: The split.
        name: What the sentence calls the model.
        digest: The split's fingerprint where that is known: all its files are read for it.
    """
    data = segmenter.metadata.data if segmenter.metadata is not None else {}
    known = training_fingerprints(data)
    if not known or (digest or fingerprint(dataset)) not in known:
        return None
    return (
        f"{name} was trained on these {len(dataset)} pictures of "
        f"{dataset.info.name}, {dataset.split}, so its scores flatter; measure it on others"
    )


def training_fingerprints(data: Mapping[str, Any]) -> set[str]:
    """Return the fingerprints of all splits that a checkpoint was trained on.

    They are those of its own training, of the datasets that a retraining put together, and of what
    the checkpoints before it were trained on, whose weights it goes on from.

    Args:
        data: What its metadata say about the data; may come from anywhere.
    """
    before, sources = data.get("fingerprints_before"), data.get("sources")
    found = [data.get(key) for key in ("fingerprint", "fingerprint_train", "fingerprint_val")]
    found += before if isinstance(before, list) else []
    for source in sources if isinstance(sources, list) else []:
        if isinstance(source, dict):
            found.append(source.get("fingerprint"))
    return {one for one in found if isinstance(one, str)}


def read_samples(dataset: SegmentationDataset) -> Iterator[Sample]:
    """Yield every picture of a split with its mask, read ahead.

    Raises:
        DataError: when a file is unusable.
    """
    return read_ahead(
        dataset.__getitem__,
        range(len(dataset)),
        workers=_READERS,
        pixels=lambda index: pixels_of(dataset.image_path(index)),
    )


def _class_difference(known: tuple[str, ...], needed: tuple[str, ...]) -> str:
    """Say how the classes of a checkpoint differ from those of a dataset, and what to do."""
    missing = [name for name in needed if name not in known]
    surplus = [name for name in known if name not in needed]
    if not missing and not surplus:
        return (
            f"the dataset lists its classes as {', '.join(needed)}, the checkpoint as "
            f"{', '.join(known)}; import the dataset again with the checkpoint's order"
        )
    found = []
    if missing:
        found.append(f"the checkpoint lacks {', '.join(missing)}")
    if surplus:
        found.append(f"the dataset lacks {', '.join(surplus)}")
    return (
        f"classes differ: {' and '.join(found)}; choose a checkpoint trained on these classes, "
        "or train one on this dataset"
    )
