"""Search and metrics beside plain references in the same run; `pytest --slow -s` prints the table.

The limits hold on a machine that is busy with other things too, so they are wider than what a quiet one shows.
"""

from __future__ import annotations

import pytest

from tireid.search import benchmark

ITEMS, WIDTH = 200_000, 512


@pytest.fixture(scope="module")
def gallery() -> benchmark.Gallery:
    features = benchmark.clustered(ITEMS, WIDTH)
    model = benchmark.Numbers(benchmark.near(features, 256))
    return benchmark.Gallery(model, features, [f"{i:07d}.jpg" for i in range(ITEMS)], root="")


def show(capsys: pytest.CaptureFixture[str], *rows: benchmark.Row) -> None:
    with capsys.disabled():
        for row in rows:
            print("\n" + "  ".join(f"{key} {value}" for key, value in row.items()), end="")


def test_share_is_the_least_time_of_the_machine_over_ours() -> None:
    limits = benchmark.Limits(operations=10.0, bytes=5.0)
    assert (limits.least(100, 10), limits.least(10, 10)) == (10, 2)  # products take longer, then the memory does
    assert benchmark.row("work", 3.0, 4.0, limits.least(20)) == {
        "what": "work", "reference_s": 3.0, "tireid_s": 4.0, "ratio": 4 / 3, "share": 0.5
    }  # fmt: skip
    assert benchmark.row("work", None, 4.0)["share"] is None


@pytest.mark.slow
def test_nothing_is_faster_than_the_machine(gallery: benchmark.Gallery, capsys: pytest.CaptureFixture[str]) -> None:
    limits = benchmark.Limits.measure()
    rows = [benchmark.metrics(4000, WIDTH, limits), *benchmark.exact_search(gallery, limits=limits)]
    rows += [*benchmark.exact_search(gallery.half(), limits=limits), benchmark.photographs()]
    show(capsys, *rows)
    for row in rows:
        assert 0.01 < row["share"] < 1.3, row  # the limits are measured at another moment of a noisy machine


@pytest.mark.slow
def test_metrics_cost_little_more_than_their_product(capsys: pytest.CaptureFixture[str]) -> None:
    row = benchmark.metrics(8000, WIDTH)
    show(capsys, row)
    assert row["ratio"] < 4


@pytest.mark.slow
def test_half_precision_is_searched_faster_than_numpy_multiplies(
    gallery: benchmark.Gallery, capsys: pytest.CaptureFixture[str]
) -> None:
    one, many = benchmark.exact_search(gallery.half())
    show(capsys, one, many)
    assert one["ratio"] < 1
    assert many["ratio"] < 4


@pytest.mark.slow
def test_a_gallery_is_mapped_not_read(gallery: benchmark.Gallery, capsys: pytest.CaptureFixture[str]) -> None:
    row = benchmark.loading(gallery)
    show(capsys, row)
    assert row["tireid_s"] < 1
    assert row["MB"] < 60


@pytest.mark.slow
def test_the_graph_is_faster_and_finds_nearly_all(
    gallery: benchmark.Gallery, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("usearch")
    rows = gallery.features[:20_000]
    near = benchmark.Numbers(benchmark.near(rows, 256))  # queries near what is in the gallery, as in the benchmark
    part = benchmark.Gallery(near, rows, gallery.paths[:20_000], root="")
    _, row = benchmark.approximate_search(part)
    show(capsys, row)
    assert row["recall"] >= 0.95


@pytest.mark.slow
def test_shards_cost_little(gallery: benchmark.Gallery, capsys: pytest.CaptureFixture[str]) -> None:
    row = benchmark.sharded_search(gallery)
    show(capsys, row)
    assert row["ratio"] < 2


@pytest.mark.slow
def test_photographs_are_not_decoded_whole(capsys: pytest.CaptureFixture[str]) -> None:
    row = benchmark.photographs()
    show(capsys, row)
    assert row["ratio"] < 1
