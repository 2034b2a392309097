"""Which photographs of the magnetic-tile data set show one tile.

A photograph is called ``exp<1..6>_num_<frame>``: its exposure, and the frame of the recording it
was cut from. A tile was recorded under rising exposures, so its photographs have frame numbers
close together that rise with the exposure: 10 to 60 frames apart as a rule, up to 356 apart where
the recording paused. (An ``exp0`` comes before 1.) The rule from the names:

- A photograph belongs to the sequence whose last frame is at most 400 frames back and whose last
  exposure is nearest below its own; otherwise it starts a sequence.
- Sequences whose frames overlap count as one group. Two cameras, or two tiles side by side, were
  recorded at once there, and names alone cannot tell whose frame is whose. A group of two tiles
  costs nothing; a tile in two groups would leak.

The rule looks at all folders together: tiles that show a defect under some exposures only lie in
several (``exp3_num_77583`` in MT_Break, its five siblings in MT_Fray).

Names do not tell all. Some tiles were recorded again, up to 12,000 frames later: 85602 to 86892
and 88149 to 88201 (one cracked tile, not three), 5874 and 13526, 8676 and 9196, 37056 and 37556,
53011 and 65001, 320808 and 320895. So the import also joins groups whose pictures look alike
(`segnet_res.data.lookalike`). Both steps were checked on all 1010 photographs: by correlation
between each pair of sequences, and by eye for the widest gaps (124236, 136351, 257678, 283254,
339867), for all joined pairs, and for the most similar ones that were not joined.
"""

import re
from collections.abc import Collection

# Between the widest pause within a tile (356) and the narrowest step to another tile that the
# exposures do not give away (557).
MAX_GAP = 400

_NAME = re.compile(r"exp(\d+)_num_(\d+)$", re.IGNORECASE)

_Photo = tuple[int, int, str]  # frame, exposure, stem


def is_photograph(stem: str) -> bool:
    """Tell whether a stem is named like a photograph of the data set."""
    return _NAME.search(stem) is not None


def tile_groups(stems: Collection[str]) -> dict[str, str]:
    """Return the group of each photograph, called after its first frame.

    A name of another form is a group of its own.

    >>> tile_groups(["MT_Fray/exp2_num_77559", "MT_Break/exp3_num_77583", "MT_Free/exp1_num_78000"])
    ... # doctest: +NORMALIZE_WHITESPACE
    {'MT_Fray/exp2_num_77559': 'tile-77559', 'MT_Break/exp3_num_77583': 'tile-77559',
     'MT_Free/exp1_num_78000': 'tile-78000'}
    """
    groups = {stem: stem for stem in stems}
    photos = sorted(
        (int(match[2]), int(match[1]), stem) for stem in stems if (match := _NAME.search(stem))
    )
    first = end = -1
    for sequence in _sequences(photos):
        if sequence[0][0] > end:
            first = sequence[0][0]
        end = max(end, sequence[-1][0])
        for _, _, stem in sequence:
            groups[stem] = f"tile-{first}"
    return groups


def _sequences(photos: list[_Photo]) -> list[list[_Photo]]:
    """Chain photographs in the order of their frames; the chains are ordered by first frame."""
    chains: list[list[_Photo]] = []
    for frame, exposure, stem in photos:
        fitting = [
            chain for chain in chains if frame - chain[-1][0] <= MAX_GAP and chain[-1][1] < exposure
        ]
        if fitting:
            # Of two tiles recorded at once, the one that was at the exposure just before this.
            best = max(fitting, key=lambda chain: (chain[-1][1], chain[-1][0]))
            best.append((frame, exposure, stem))
        else:
            chains.append([(frame, exposure, stem)])
    return chains
