"""Which photographs of the magnetic-tile data set show one tile."""

import re
from collections.abc import Collection

_NAME = re.compile(r"exp(\d+)_num_(\d+)$", re.IGNORECASE)
MAX_GAP = 400


def tile_groups(stems: Collection[str]) -> dict[str, str]:
    """Return the tile of each photograph."""
    found = []
    groups = {}
    for stem in stems:
        match = _NAME.search(stem)
        if match:
            found.append((int(match[2]), int(match[1]), stem))
        else:
            groups[stem] = stem
    last = None
    name = ""
    exp = 0
    for frame, e, stem in sorted(found):
        if last is None or frame - last > MAX_GAP or (e <= 1 and exp >= 6):
            name = f"tile-{frame}"
        groups[stem] = name
        last, exp = frame, e
    return groups
