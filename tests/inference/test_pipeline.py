"""Threads beside the model: order, bounds, errors, and what happens on closing."""

import threading

import pytest

from segnet_res.inference import pipeline
from segnet_res.inference.pipeline import in_batches, pixels_of, read_ahead, write_behind


def one(_item):
    return 1


@pytest.mark.parametrize("stage", [read_ahead, write_behind])
def test_results_keep_their_order(stage):
    assert list(stage(lambda x: x * x, range(100), workers=4, pixels=one)) == [
        x * x for x in range(100)
    ]


@pytest.mark.parametrize("stage", [read_ahead, write_behind])
def test_few_items_are_taken_ahead(stage):
    taken = []
    results = stage(abs, (taken.append(i) or i for i in range(1000)), workers=2, pixels=one)
    next(results)
    assert len(taken) <= pipeline.MAX_ITEMS_WAITING + 1
    results.close()


def test_large_pictures_are_taken_one_by_one():
    started = []
    huge = pipeline.MAX_PIXELS_WAITING
    results = read_ahead(started.append, range(5), workers=2, pixels=lambda _: huge)
    next(results)
    assert len(started) <= 2
    results.close()


def test_an_error_comes_in_its_place():
    def work(item):
        if item == 2:
            raise ValueError("two")
        return item

    results = read_ahead(work, range(5), workers=2, pixels=one)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)


def test_closing_finishes_what_was_taken_for_writing():
    gate = threading.Event()
    written = []

    def write(item):
        if item:
            gate.wait(5)
        written.append(item)
        return item

    taken = []
    results = write_behind(write, (taken.append(i) or i for i in range(99)), workers=1, pixels=one)
    assert next(results) == 0
    gate.set()
    results.close()
    assert sorted(written) == written
    assert set(taken[:-1]) <= set(written) | {taken[-1]}


def test_pixels_of_an_unreadable_file(tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    assert pixels_of(tmp_path / "a.png") == 0


@pytest.mark.parametrize("stage", [read_ahead, write_behind])
def test_everything_before_a_pause_comes_out_before_it(stage):
    taken = []

    def items():
        for item in (1, 2, None, 3, None):
            taken.append(item)
            yield item

    results = stage(lambda x: x, items(), workers=2, pixels=one, pause=lambda item: item is None)
    seen = []
    for result in results:
        seen.append(result)
        if result is None:
            assert taken == seen
    assert seen == [1, 2, None, 3, None]


def batches(items, size, **options):
    return list(in_batches(items, size, alike=lambda x: x % 10 or None, pixels=one, **options))


def test_groups_are_of_one_kind_and_no_larger_than_said():
    assert batches([1, 2, 11, 21, 31, 12], 3) == [[1, 11, 21], [2, 12], [31]]
    assert batches([1, 2, 11], 1) == [[1], [2], [11]]


def test_what_goes_alone_overtakes_but_not_for_ever():
    # Three times the size of a group pass by.
    assert batches([1, *[10] * 8], 2) == [[1] if i == 6 else [10] for i in range(9)]


def test_groups_do_not_wait_over_a_pause():
    found = in_batches([1, None, 1], 2, alike=str, pixels=one, pause=lambda item: item is None)
    assert list(found) == [[1], [None], [1]]


def test_groups_do_not_wait_when_much_memory_is_held():
    pixels = pipeline.MAX_PIXELS_WAITING // 2
    found = in_batches([1, 2, 3], 9, alike=str, pixels=lambda _: pixels)
    assert next(found) == [1]
