"""Where tiles lie: they cover everything, share what they should, and start on the grid."""

from itertools import pairwise

import numpy as np
import pytest

from segnet_res.errors import UsageError
from segnet_res.inference.tiling import GRID, check_tile, ramp, spans


def drawn(number, seed):
    """Return tiles, overlaps and lengths at random, of all that are allowed and small enough."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        tile = GRID * int(rng.integers(4, 40))
        overlap = GRID * int(rng.integers(1, tile // 4 // GRID + 1))
        # Lengths that are nearly a whole number of tiles are where one is soon off by one.
        length = int(rng.integers(1, 12 * tile))
        if rng.random() < 0.5:
            length = max(
                1, length // (tile - overlap) * (tile - overlap) + int(rng.integers(-2, 3))
            )
        yield tile, overlap, length


@pytest.mark.parametrize(("tile", "overlap"), [(128, 32), (256, 64), (1024, 128)])
def test_spans_cover_every_length(tile, overlap):
    for length in [1, tile - 1, tile, *range(tile + 1, 6 * tile, 7), 30_000]:
        check_spans(length, tile, overlap)


def test_spans_cover_any_length_by_any_tile():
    for tile, overlap, length in drawn(3000, seed=1):
        check_tile(tile, overlap)
        check_spans(length, tile, overlap)


def check_spans(length, tile, overlap):
    found = spans(length, tile, overlap)
    assert found[0].start == 0
    assert found[-1].stop == length
    assert found[0].first
    assert found[-1].last
    assert sum(span.first for span in found) == sum(span.last for span in found) == 1
    for span in found:
        assert span.start % GRID == 0
        assert 0 < span.stop - span.start <= tile
    for before, after in pairwise(found):
        assert before.stop - after.start == overlap
    # No pixel lies in more than two tiles.
    for before, after in zip(found, found[2:], strict=False):
        assert before.stop <= after.start
    # As few tiles as can be: one less would not reach the end.
    assert len(found) == 1 or (len(found) - 1) * (tile - overlap) + overlap < length


def test_the_weights_of_all_tiles_sum_to_one_at_every_pixel():
    for tile, overlap, length in drawn(200, seed=2):
        total = np.zeros(length)
        for span in spans(length, tile, overlap):
            weight = np.ones(span.stop - span.start)
            if not span.first:
                weight[:overlap] = ramp(overlap)
            if not span.last:
                weight[-overlap:] *= 1 - ramp(overlap)
            total[span.start : span.stop] += weight
        np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("overlap", [32, 128, 256])
def test_the_ramp_is_what_normalised_gaussian_windows_give(overlap):
    # Two tiles of 1024 pixels; the width of the windows is the one that the docstring names.
    apart = 1024 - overlap
    width = np.sqrt(apart * overlap / 16)
    shared = np.arange(apart, 1024) + 0.5
    before = np.exp(-((shared - 512) ** 2) / (2 * width**2))
    after = np.exp(-((shared - 512 - apart) ** 2) / (2 * width**2))
    quarter = overlap // 4
    expected = after / (before + after)
    np.testing.assert_allclose(
        ramp(overlap)[quarter:-quarter], expected[quarter:-quarter], atol=1e-6
    )


def test_the_ramp_rises_from_nothing_to_one():
    later = ramp(32)
    np.testing.assert_allclose(later + later[::-1], 1, atol=1e-6)
    assert np.all(np.diff(later[8:24]) > 0)
    assert later[8] < 0.03
    assert not later[:8].any()
    assert (later[24:] == 1).all()
    assert later.dtype == np.float32


@pytest.mark.parametrize(
    ("tile", "overlap", "message"),
    [
        (1000, 128, r"^tile is 1000; give a multiple of 32, at least 128$"),
        (96, 32, r"^tile is 96; give a multiple of 32, at least 128$"),
        (128, 33, r"^overlap is 33; give a multiple of 32 from 32 to a quarter of the tile \(32\)"),
        (256, 96, r"^overlap is 96; .* a quarter of the tile \(64\)$"),
        (256, 0, r"^overlap is 0; give"),
    ],
)
def test_tiles_that_do_not_work_are_refused(tile, overlap, message):
    with pytest.raises(UsageError, match=message):
        check_tile(tile, overlap)
