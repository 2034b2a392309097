"""From what a browser asks for to the file of a picture and of its reference mask."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segnet_res.data import SegmentationDataset
from segnet_res.errors import DataError, ImageError
from segnet_res.web.folders import Folders
from segnet_res.web.samples import Samples
from segnet_res.web.storage import Storage


@dataclass(frozen=True)
class Picture:
    """A picture that somebody chose.

    Attributes:
        name: What the page calls it.
        path: The file.
        mask: The reference mask that belongs to it (of a sample or dataset), or None.
        uploaded: Whether the browser may fetch the file itself: it lies in the page's own folder.
        classes: The names that the labels of ``mask`` stand for; None where there is no mask.
    """

    name: str
    path: Path
    mask: Path | None = None
    uploaded: bool = True
    classes: tuple[str, ...] | None = None


class Pictures:
    """Finds pictures by untrusted descriptions.

    A description is one of::

        {"kind": "sample", "name": ...}
        {"kind": "upload", "path": ..., "name": ...}
        {"kind": "dataset", "dataset": ..., "split": ..., "stem": ...}
        {"kind": "folder", "folder": ..., "file": ...}

    Args:
        storage: Where uploads lie.
        samples: The parts that can be picked.
        folders: What may be read of this machine.
    """

    def __init__(self, storage: Storage, samples: Samples, folders: Folders) -> None:
        self._storage = storage
        self._samples = samples
        self._folders = folders

    def find(self, source: object) -> Picture:
        """Return the picture of a description.

        Raises:
            ImageError: when there is no such picture, or the description makes no sense.
            DataError: when its dataset or folder cannot be used.
        """
        fields: dict[str, Any] = source if isinstance(source, dict) else {}
        finders = {
            "sample": self._sample,
            "upload": self._upload,
            "dataset": self._dataset,
            "folder": self._folder,
        }
        finder = finders.get(_text(fields, "kind"))
        if finder is None:
            raise ImageError("no picture was given; drop one, or pick a sample")
        return finder(fields)

    def uploaded(self, path: object) -> Path:
        """Return an uploaded file, such as a reference mask, by the path that its upload gave.

        Raises:
            ImageError: when it is none, or has expired.
        """
        return self._storage.uploaded(path if isinstance(path, str) else "")

    def _sample(self, fields: dict[str, Any]) -> Picture:
        name = _text(fields, "name")
        part = self._samples.parts().get(name)
        if part is None:
            raise ImageError(f"no sample is called {name!r}; pick one of the list")
        return Picture(part.image.name, part.image, part.mask, True, self._samples.class_map.names)

    def _upload(self, fields: dict[str, Any]) -> Picture:
        path = self.uploaded(fields.get("path"))
        return Picture(path.name, path)

    def _dataset(self, fields: dict[str, Any]) -> Picture:
        dataset = SegmentationDataset(
            self._folders.dataset(_text(fields, "dataset")), _text(fields, "split")
        )
        stem = _text(fields, "stem")
        if stem not in dataset.stems:
            raise DataError(f"the split {dataset.split} holds no picture {stem!r}; choose another")
        i = dataset.stems.index(stem)
        names = dataset.class_map.names
        return Picture(stem, dataset.image_path(i), dataset.mask_path(i), False, names)

    def _folder(self, fields: dict[str, Any]) -> Picture:
        folder = self._folders.folder(_text(fields, "folder"))
        file = _text(fields, "file")
        found = self._folders.picture(folder, file)
        if found is None:
            raise ImageError(f"the folder holds no picture {file!r}; look at the list again")
        return Picture(file, found, uploaded=False)


def _text(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) and len(value) <= 4096 else ""
