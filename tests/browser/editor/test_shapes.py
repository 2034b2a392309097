"""Which pixels shapes and regions cover, compared with numpy and OpenCV."""

import cv2
import numpy as np
import pytest

SHAPES = """async ({ kind, width, height, data, jobs }) => {
    const { brushAt, stroke, polygon, flood } = await import("/page/annotate-tools-shapes.js");
    return jobs.map((job) => {
        const seen = new Uint8Array(width * height);
        const plane = { width, height, data: data ? Uint8Array.from(data) : seen.slice() };
        const span = (row, first, last) => {
            if (row < 0 || row >= height || first < 0 || last >= width) throw new Error("outside");
            seen.fill(1, row * width + first, row * width + last + 1);
            if (kind === "flood") plane.data.fill(99, row * width + first, row * width + last + 1);
        };
        if (kind === "stroke") {
            const { size, from, to } = job;
            stroke(brushAt(...from, size), brushAt(...to, size), size, plane, span);
        } else if (kind === "polygon") polygon(job, plane, span);
        else flood(plane, ...job, span);
        return String.fromCharCode(...seen.map((value) => value + 48));
    });
}"""


def shapes(desk, kind: str, jobs: list, data: object = None) -> list[np.ndarray]:
    height, width = desk.shape
    wanted = {"kind": kind, "width": width, "height": height, "jobs": jobs, "data": data}
    masks = desk.page.evaluate(SHAPES, wanted)
    return [np.frombuffer(mask.encode(), np.uint8).reshape(desk.shape) == 49 for mask in masks]


def test_a_brush_covers_the_pixels_within_half_its_width(desk):
    desk.shape = (50, 70)
    rng = np.random.default_rng(4)
    jobs = [{"size": 4, "from": (20.4, 20.6), "to": (20.4, 20.6)}]
    for size in (1, 2, 3, 7, 12, 41, 200):
        for _ in range(8):
            ends = rng.uniform((-20, -20), (90, 70), (2, 2)).tolist()
            jobs.append({"size": size, "from": ends[0], "to": ends[1]})
    found = shapes(desk, "stroke", jobs)
    for job, mask in zip(jobs, found, strict=True):
        assert np.array_equal(mask, desk.brushed(job["size"], job["from"], job["to"])), job
    # By hand: a disc 4 pixels wide whose middle lies at (20, 21).
    disc = found[0][19:23, 18:22]
    assert disc.astype(int).tolist() == [[0, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 0]]
    assert found[0].sum() == 12


def test_a_thin_line_has_no_gaps(desk):
    desk.shape = (50, 70)
    ends = [((3.5, 2.5), (60.5, 40.5)), ((5.5, 45.5), (9.5, 1.5)), ((1.5, 30.5), (66.5, 29.5))]
    jobs = [{"size": 1, "from": a, "to": b} for a, b in ends]
    for mask in shapes(desk, "stroke", jobs):
        count, _ = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        assert count == 2


def test_a_polygon_covers_what_lies_within_it_an_odd_number_of_times(desk):
    desk.shape = (50, 70)
    star = [(35, 2), (50, 48), (8, 18), (62, 18), (20, 48)]
    # Corners on the middles of pixels, corners outside, and a random one that crosses itself.
    square = [(10.5, 10.5), (20.5, 10.5), (20.5, 20.5), (10.5, 20.5)]
    wide = [(-30, 5), (100, -10), (90, 80), (-9, 30.5)]
    wild = np.random.default_rng(9).uniform(-5, 75, (9, 2)).tolist()
    jobs = [star, square, wide, wild]
    for corners, mask in zip(jobs, shapes(desk, "polygon", jobs), strict=True):
        assert np.array_equal(mask, desk.inside(corners)), corners
    by_opencv = np.zeros(desk.shape, np.uint8)
    cv2.fillPoly(by_opencv, [np.array(star)], 1)
    ours = shapes(desk, "polygon", [star])[0]
    # OpenCV paints the sides as well, so the two may differ there alone.
    sides = np.zeros(desk.shape, np.uint8)
    cv2.polylines(sides, [np.array(star)], True, 1, 3)
    assert np.array_equal(ours[sides == 0], by_opencv[sides == 0] == 1)
    assert ours.sum() > 500


@pytest.mark.parametrize(("corners", "connectivity"), [(False, 4), (True, 8)])
def test_a_region_is_what_opencv_calls_one(desk, corners, connectivity):
    labels = np.random.default_rng(2).integers(0, 2, (40, 57), np.uint8)
    desk.shape = labels.shape
    jobs = [[5, 5, corners], [56, 39, corners], [0, 20, corners], [30, 0, corners]]
    found = shapes(desk, "flood", jobs, labels.ravel().tolist())
    for (x, y, _), mask in zip(jobs, found, strict=True):
        same = (labels == labels[y, x]).astype(np.uint8)
        _, numbers = cv2.connectedComponents(same, connectivity=connectivity)
        assert np.array_equal(mask, numbers == numbers[y, x])


def test_regions_are_those_that_opencv_counts(desk):
    labels = np.random.default_rng(7).choice([0, 0, 1, 2, desk.ignore], (45, 61)).astype(np.uint8)
    found = desk.page.evaluate(
        """async ({ width, height, data }) => {
            const { Regions } = await import("/page/annotate-editor-regions.js");
            const regions = new Regions({ width, height, data: Uint8Array.from(data) }, [0, 255]);
            const ids = [];
            for (let i = 0; i < data.length; i++) {
                ids.push(regions.at(i % width, Math.floor(i / width)) ?? -1);
            }
            return ids;
        }""",
        {"width": 61, "height": 45, "data": labels.ravel().tolist()},
    )
    ids = np.reshape(found, labels.shape)
    expected = np.full(labels.shape, -1)
    for label in (1, 2):
        same = (labels == label).astype(np.uint8)
        _, numbers = cv2.connectedComponents(same, connectivity=8)
        expected[same == 1] = numbers[same == 1] + 10_000 * label
    # The same partition under other names: each of ours is one of OpenCV's and the other way round.
    pairs = set(zip(ids.ravel().tolist(), expected.ravel().tolist(), strict=True))
    assert len(pairs) == len(np.unique(ids)) == len(np.unique(expected)) > 100
