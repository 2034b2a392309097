"""What results depend on, as hashes, so that a rerun knows what has changed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segnet_res.checkpoint import digest
from segnet_res.errors import CheckpointError

if TYPE_CHECKING:
    from segnet_res.inference.segmenter import Segmenter

# To be raised when the same settings give other results: everything is then done again.
_GENERATION = 1


def identity_of(segmenter: Segmenter, path: Path | None) -> dict[str, str]:
    """Return name and SHA-256 of what segments.

    Args:
        segmenter: What segments.
        path: The checkpoint or export that it was opened from; None for a model without a file,
            which is known by its weights and classes.

    Raises:
        CheckpointError: when the file has gone meanwhile.
    """
    if path is not None:
        try:
            return {"name": path.name, "sha256": digest(path)}
        except OSError as error:
            raise CheckpointError(
                f"{path}: cannot be read ({error.strerror}); check the path"
            ) from error
    weights = hashlib.sha256()
    model: Any = getattr(segmenter.runtime, "model", segmenter.runtime)
    weights.update(type(model).__qualname__.encode())
    weights.update(repr(segmenter.class_map.names).encode())
    state = model.state_dict() if hasattr(model, "state_dict") else {}
    for name, tensor in state.items():
        values = tensor.detach().cpu().float().numpy()
        weights.update(name.encode())
        weights.update(repr(values.shape).encode())
        weights.update(values.tobytes())
    return {"name": type(model).__qualname__, "sha256": weights.hexdigest()}


def settings_of(
    segmenter: Segmenter, backend: str | None, *, threshold: float, min_region: int
) -> dict[str, Any]:
    """Return all options that change a result, apart from checkpoint and limits.

    Args:
        segmenter: What segments.
        backend: The backend that was asked for. Another choice of ``auto`` changes nothing, since
            it chooses among those that give the same labels; None: the one that runs.
        threshold: See `segnet_res.regions.refine`.
        min_region: See there.
    """
    return {
        "tile": segmenter.tile,
        "overlap": segmenter.overlap,
        "flips": segmenter.flips,
        "precision": segmenter.runtime.precision,
        "backend": backend or segmenter.backend,
        "threshold": threshold,
        "min_region": min_region,
        "generation": _GENERATION,
    }
