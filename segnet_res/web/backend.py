"""What stands behind every tab of one running page."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

from segnet_res.web.checkpoints import Library
from segnet_res.web.folders import Folders
from segnet_res.web.jobs import Jobs
from segnet_res.web.pictures import Pictures
from segnet_res.web.samples import Samples
from segnet_res.web.speed import Speeds
from segnet_res.web.storage import Storage


@dataclass(frozen=True)
class Backend:
    """Made once by the server and handed to each tab.

    Attributes:
        checkpoints: What can be chosen, and whose turn it is to use one (``checkpoints.turns``).
        storage: Where uploads lie and results go.
        samples: The parts that can be picked.
        folders: What may be read of this machine.
        pictures: Finds a picture by what a browser says of it.
        speeds: How long each checkpoint takes.
        accepts_checkpoints: Whether people may add checkpoints to the folder.
        accepts_annotations: Whether people may save masks into datasets below ``folders.root``.
        runs: Folder of retrainings that people may start and promote; None: they may not.
        opened: Set once somebody has opened the page.
        jobs: Long work that goes on while pages come and go.
    """

    checkpoints: Library
    storage: Storage
    samples: Samples
    folders: Folders
    pictures: Pictures
    speeds: Speeds
    accepts_checkpoints: bool = False
    accepts_annotations: bool = False
    runs: Path | None = None
    jobs: Jobs = field(default_factory=Jobs)
    opened: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def make(
        cls,
        checkpoints: Path,
        private: Path,
        data: Path | None = None,
        *,
        accept_checkpoints: bool = False,
        accept_annotations: bool = False,
        runs: Path | None = None,
        flips: bool = False,
    ) -> "Backend":
        """Put a page's parts together.

        Args:
            checkpoints: Folder of the checkpoints that can be chosen; may be empty or missing.
            private: Existing folder for uploads and results that only this user can enter.
            data: Folder whose datasets and pictures the page may read; None: no folder.
            accept_checkpoints: Whether people may add checkpoints to the folder.
            accept_annotations: Whether people may save masks into datasets below ``data``.
            runs: Existing folder of retrainings that people may start; None: they may not.
            flips: Whether all predictions are averaged over mirror images.
        """
        storage = Storage(private)
        samples, folders = Samples(storage.samples()), Folders(data, runs)
        pictures = Pictures(storage, samples, folders)
        library = Library(checkpoints, flips=flips)
        return cls(
            library,
            storage,
            samples,
            folders,
            pictures,
            Speeds(library),
            accepts_checkpoints=accept_checkpoints,
            accepts_annotations=accept_annotations,
            runs=runs,
        )
