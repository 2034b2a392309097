"""Importers: from somebody's folder to the dataset folder, without touching the source."""

from segnet_res.data.importers._run import (
    FORMATS,
    ImportReport,
    Step,
    import_dataset,
    import_steps,
)
from segnet_res.data.importers.folder import MaskOptions

__all__ = ["FORMATS", "ImportReport", "MaskOptions", "Step", "import_dataset", "import_steps"]
