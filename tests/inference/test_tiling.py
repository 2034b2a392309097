"""Where tiles lie: they cover everything, share what they should, and start on the grid."""

from itertools import pairwise

import numpy as np
import pytest

from segnet_res.inference.tiling import ramp, spans


@pytest.mark.parametrize(("tile", "overlap"), [(128, 32), (256, 64), (1024, 128)])
def test_spans_cover_every_length(tile, overlap):
    for length in [1, tile - 1, tile, *range(tile + 1, 6 * tile, 7), 30_000]:
        found = spans(length, tile, overlap)
        assert found[0].start == 0
        assert found[-1].stop == length
        assert found[0].first
        assert found[-1].last
        assert sum(span.first for span in found) == sum(span.last for span in found) == 1
        for span in found:
            assert span.start % 32 == 0
            assert 0 < span.stop - span.start <= tile
        for before, after in pairwise(found):
            assert before.stop - after.start == overlap
        # No pixel lies in more than two tiles.
        for before, after in zip(found, found[2:], strict=False):
            assert before.stop <= after.start


def test_ramps_of_neighbours_sum_to_one():
    later = ramp(32)
    np.testing.assert_allclose(later + later[::-1], 1, atol=1e-6)
    assert np.all(np.diff(later[8:24]) > 0)
    assert not later[:8].any()
    assert (later[24:] == 1).all()
