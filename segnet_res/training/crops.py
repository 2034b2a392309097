"""The endless stream of training crops: every crop follows from the seed and its number alone."""

import random
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from segnet_res.augment import build_augmentation, paste, random_crop
from segnet_res.classes import background
from segnet_res.data import Sample, SegmentationDataset
from segnet_res.errors import SegnetResError, TrainingError, UsageError
from segnet_res.images import UInt8Array
from segnet_res.recipe import PASTE, TrainConfig
from segnet_res.training.descent import Pool

# Decoded pictures that all reading processes of a training keep together: to read a photograph of
# many megapixels takes far longer than to cut a crop from it.
_KEPT_BYTES = 2**30


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Attributes:
        images: (N, channels, crop, crop) uint8.
        labels: (N, crop, crop) int64, class labels or ``ignore_index``.
        stems: The pictures that the crops come from.
    """

    images: Tensor
    labels: Tensor
    stems: tuple[str, ...]

    def pin_memory(self) -> "Batch":
        """Move to pinned memory; DataLoader calls this."""
        return Batch(self.images.pin_memory(), self.labels.pin_memory(), self.stems)


# Pixels (channels, crop, crop) uint8, labels (crop, crop) int64, and the picture's stem.
Crop = tuple[Tensor, Tensor, str]


class Recent:
    """The pictures of a dataset; those that were asked for last are read but once.

    Args:
        dataset: Gives a sample for an index.
        limit: Bytes that may be kept.
    """

    def __init__(self, dataset: SegmentationDataset, limit: int) -> None:
        self._dataset = dataset
        self.limit = limit
        self._kept: OrderedDict[int, Sample] = OrderedDict()
        self._bytes = 0

    def __getitem__(self, index: int) -> Sample:
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        sample = self._dataset[index]
        self._kept[index] = sample
        self._bytes += _size(sample)
        while self._bytes > self.limit:
            self._bytes -= _size(self._kept.popitem(last=False)[1])
        return sample


def _size(sample: Sample) -> int:
    return sample.image.nbytes + sample.labels.nbytes


class Crops(Dataset[Crop | SegnetResError]):
    """Crops by number.

    Crop ``i`` depends on the seed and on ``i`` alone, not on the crops before it or on the worker
    that cuts it: a resumed training sees what an uninterrupted one would have seen.

    A picture that cannot be read gives the error in place of a crop: what a worker process raises
    would arrive with the text of its traceback.

    Args:
        dataset: The training split.
        pixels: (pictures, classes) int64, labelled pixels of each class in each picture.
        config: crop, scale, rare, paste, augment and seed count.
        pools: Each crop comes from one of these; none: every picture is drawn alike.
        coarse: The first so many crops are drawn as all others, then shrunk to half their size.

    Raises:
        UsageError: when defects shall be pasted and no class is the background.
    """

    def __init__(
        self,
        dataset: SegmentationDataset,
        pixels: NDArray[np.int64],
        config: TrainConfig,
        *,
        pools: tuple[Pool, ...] = (),
        coarse: int = 0,
    ) -> None:
        self.dataset = dataset
        self.samples = Recent(dataset, _KEPT_BYTES)
        self.config = config
        self.coarse = coarse
        self._augment = build_augmentation(config.augment)
        every = pools or (Pool(1.0, np.arange(len(dataset))),)
        # The pictures of each pool, and for each class that occurs those that hold it.
        self._pools = [
            (pool.indices, _holders(pixels[pool.indices], pool.indices)) for pool in every
        ]
        self._shares = [pool.share for pool in every]
        self._holders = _holders(pixels, np.arange(len(pixels)))
        self._background = background(dataset.class_map)
        self._paste = self._paste_share()
        self._defects = [label for label in self._holders if label != self._background]

    def __getitem__(self, number: int) -> Crop | SegnetResError:
        try:
            return self._cut(number)
        except SegnetResError as error:
            return error

    def _cut(self, number: int) -> Crop:
        config = self.config
        rng = np.random.default_rng([config.seed, number])
        focus, index = self._draw(rng)
        sample = self.samples[index]
        size = config.crop // 2 if number < self.coarse else config.crop
        image, labels = self._window(sample, focus, size, rng)
        if self._paste and self._defects and rng.random() < self._paste:
            image, labels = self._with_defects(image, labels, size, rng)
        # One stream for all changes: `set_random_seed` would give each one of the same seed, and
        # all of them would draw alike, such as both flips or none.
        seed = int(rng.integers(2**31))
        self._augment.set_random_state(np.random.default_rng(seed), random.Random(seed))
        changed = self._augment(image=image, mask=labels)
        image = np.ascontiguousarray(changed["image"].transpose(2, 0, 1))
        labels = changed["mask"].astype(np.int64)
        return torch.from_numpy(image), torch.from_numpy(labels), sample.stem

    def _paste_share(self) -> float:
        given, name = self.config.paste, self.dataset.info.name
        if given and self._background is None:
            raise UsageError(
                f"--paste is {given}, {name} has no class background that defects could be "
                "pasted on; leave it out"
            )
        if given is not None:
            return given
        lies_on_parts = self.config.augment in ("inspection", "aligned")
        return PASTE if lies_on_parts and self._background is not None else 0.0

    def _window(
        self, sample: Sample, focus: int | None, size: int, rng: np.random.Generator
    ) -> tuple[UInt8Array, UInt8Array]:
        return random_crop(
            sample.image,
            sample.labels,
            size=size,
            zoom=size / self.config.crop,
            scale=self.config.scale,
            focus=focus,
            ignore_index=self.dataset.class_map.ignore_index,
            rng=rng,
        )

    def _with_defects(
        self, image: UInt8Array, labels: UInt8Array, size: int, rng: np.random.Generator
    ) -> tuple[UInt8Array, UInt8Array]:
        """Paste what a crop of another picture has of a class drawn evenly among the defects."""
        focus = int(rng.choice(self._defects))
        donor = self.samples[int(rng.choice(self._holders[focus]))]
        assert self._background is not None
        return paste(
            image,
            labels,
            *self._window(donor, focus, size, rng),
            background=self._background,
            ignore_index=self.dataset.class_map.ignore_index,
        )

    def _draw(self, rng: np.random.Generator) -> tuple[int | None, int]:
        """Return the label to look at, if any, and the index of the picture."""
        # Without pools nothing is drawn here, so that older runs can be resumed.
        place = int(rng.choice(len(self._pools), p=self._shares)) if len(self._pools) > 1 else 0
        indices, holders = self._pools[place]
        if holders and rng.random() < self.config.rare:
            focus = int(rng.choice(list(holders)))
            return focus, int(rng.choice(holders[focus]))
        return None, int(indices[rng.integers(len(indices))])


def _holders(pixels: NDArray[np.int64], indices: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """Return for each class that occurs the indices of the pictures that hold it."""
    return {
        label: indices[np.flatnonzero(pixels[:, label])]
        for label in range(pixels.shape[1])
        if pixels[:, label].any()
    }


class EpochSampler(Sampler[int]):
    """Numbers of the crops of one epoch and process; `epoch` is set before each epoch."""

    def __init__(self, steps: int, batch: int, rank: int, world: int) -> None:
        self.steps, self.batch, self.rank, self.world = steps, batch, rank, world
        self.epoch = 0

    def __len__(self) -> int:
        return self.steps * self.batch

    def __iter__(self) -> Iterator[int]:
        for step in range(self.epoch * self.steps, (self.epoch + 1) * self.steps):
            first = (step * self.world + self.rank) * self.batch
            yield from range(first, first + self.batch)


def collate(crops: Sequence[Crop | SegnetResError]) -> Batch | SegnetResError:
    """Stack crops into a batch; the first error among them takes its place."""
    sound = []
    for crop in crops:
        if isinstance(crop, SegnetResError):
            return crop
        sound.append(crop)
    images, labels, stems = zip(*sound, strict=True)
    return Batch(torch.stack(images), torch.stack(labels), stems)


def batches(loader: "Loader") -> Iterator[Batch]:
    """Yield the batches of one epoch.

    Raises:
        DataError: when a picture or mask cannot be used.
        TrainingError: when the system has ended a worker.
    """
    try:
        for batch in loader:
            if isinstance(batch, SegnetResError):
                raise batch
            yield batch
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise TrainingError(
            f"a reading process was ended by the system ({str(error).splitlines()[0]}), mostly "
            "for want of memory; lower --workers, 0 reads without further processes"
        ) from error


Loader = DataLoader[Batch | SegnetResError]


def build_loader(crops: Crops, sampler: EpochSampler, *, workers: int, pin: bool) -> Loader:
    """Return the loader of one process; its workers live as long as it does."""
    # Each worker has pictures of its own.
    crops.samples.limit = _KEPT_BYTES // max(1, workers)
    return DataLoader(
        crops,  # type: ignore[arg-type]  # collate turns the crops into batches
        batch_size=sampler.batch,
        sampler=sampler,
        num_workers=workers,
        collate_fn=collate,
        pin_memory=pin,
        persistent_workers=workers > 0,
        worker_init_fn=_start_worker,
        # Of its own: each new iterator draws from it, and what dropout draws must not depend on
        # whether a run was resumed.
        generator=torch.Generator(),
    )


def _start_worker(_: int) -> None:
    # The workers share the cores; OpenCV's own threads would only get in each other's way.
    cv2.setNumThreads(0)
