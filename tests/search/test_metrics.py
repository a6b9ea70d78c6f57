"""Metrics against a naive full sort, scikit-learn, and by invariance."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score

from tests.oracles import ranking
from tireid.basics.arguments import ArgumentError
from tireid.search import bootstrap_interval, intervals, rank_relevant, retrieval_metrics
from tireid.search import ranking as module
from tireid.search.metrics import METRICS


@st.composite
def tied_problems(draw):
    """Few small integers as features, so that ties and duplicates abound; at least one query has a relevant item."""
    queries, gallery, dimension = draw(st.tuples(st.integers(1, 7), st.integers(1, 12), st.integers(1, 3)))
    grid = st.integers(-1, 2)

    def features(rows: int) -> np.ndarray:
        array = draw(hnp.arrays(np.float64, (rows, dimension), elements=grid))
        array[~array.any(axis=1), 0] = 1.0
        return array

    identities = st.integers(0, 3)
    query_ids = draw(hnp.arrays(np.int64, queries, elements=identities))
    gallery_ids = draw(hnp.arrays(np.int64, gallery, elements=identities))
    gallery_ids[0] = query_ids[0]
    return features(queries), features(gallery), query_ids, gallery_ids


pytestmark = pytest.mark.filterwarnings("ignore:.*no relevant item")


def as_rows(table) -> list[dict[str, float] | None]:
    columns = table[["first_rank", "AP", "INP"]].to_dict("records")
    return [row if n else None for row, n in zip(columns, table["relevant"], strict=True)]


@settings(max_examples=150, deadline=None)
@given(tied_problems(), st.integers(1, 8))
def test_equals_the_naive_sort_under_ties(problem, chunk_size):
    metrics, table = retrieval_metrics(*problem, ks=(1, 2, 5), chunk_size=chunk_size, per_query=True)
    assert metrics == pytest.approx(ranking.metrics(*problem, ks=(1, 2, 5)), abs=1e-9)
    for row, expected in zip(as_rows(table), ranking.per_query(*problem), strict=True):
        assert row == (expected if expected is None else pytest.approx(expected, abs=1e-12))


@settings(max_examples=100, deadline=None)
@given(tied_problems(), st.randoms(use_true_random=False), st.integers(1, 8), st.integers(1, 4))
def test_order_and_chunks_do_not_matter(problem, random, chunk_size, block):
    queries, gallery, query_ids, gallery_ids = problem
    expected = rank_relevant(*problem)
    q, g = list(range(len(queries))), list(range(len(gallery)))
    random.shuffle(q)
    random.shuffle(g)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_BYTES", 8 * chunk_size * block)
        shuffled = rank_relevant(queries[q], gallery[g], query_ids[q], gallery_ids[g], chunk_size=chunk_size)
        straight = rank_relevant(*problem, chunk_size=chunk_size)
    for position, row in enumerate(q):
        assert shuffled.ranks[position].tolist() == expected.ranks[row].tolist()
        same_person = gallery_ids[g[shuffled.nearest[position]]] == query_ids[row]
        assert same_person == (gallery_ids[expected.nearest[row]] == query_ids[row])
    assert straight.nearest.tolist() == expected.nearest.tolist()


@settings(max_examples=100, deadline=None)
@given(tied_problems())
def test_nearest_is_a_best_item_wrong_before_right_then_first(problem):
    queries, gallery, query_ids, gallery_ids = problem
    for row, nearest in enumerate(rank_relevant(*problem).nearest):
        cosines = [ranking.cosine(queries[row], item) for item in gallery]
        best = [i for i, c in enumerate(cosines) if c > max(cosines) - 1e-12]
        wrong = [i for i in best if gallery_ids[i] != query_ids[row]]
        assert nearest == (wrong or best)[0]


def random_problem(seed: int, queries: int = 60, gallery: int = 90, dimension: int = 16, people: int = 12):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(people, dimension))
    query_ids, gallery_ids = rng.integers(people, size=queries), rng.integers(people, size=gallery)
    noise = rng.normal(size=(queries + gallery, dimension))
    return centres[query_ids] + noise[:queries], centres[gallery_ids] + noise[queries:], query_ids, gallery_ids


def test_average_precision_equals_scikit_learn():
    queries, gallery, query_ids, gallery_ids = random_problem(0)
    _, table = retrieval_metrics(queries, gallery, query_ids, gallery_ids, per_query=True)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, gallery)]
    for row, scores in enumerate(unit[0] @ unit[1].T):
        expected = average_precision_score(gallery_ids == query_ids[row], scores)
        assert table.loc[row, "AP"] == pytest.approx(expected, abs=1e-12)


def test_hand_computed():
    gallery = np.array([[np.cos(a), np.sin(a)] for a in (0.1, 0.2, 0.3, 0.4)])  # in rank order for the query (1, 0)
    metrics, table = retrieval_metrics(np.array([[3.0, 0.0]]), gallery, [5], [9, 5, 9, 5], ks=(1, 2), per_query=True)
    assert metrics == pytest.approx({"R@1": 0, "R@2": 100, "mAP": 100 * (1 / 2 + 2 / 4) / 2, "mINP": 50})
    assert table.to_dict("records") == [{"first_rank": 2, "AP": 0.5, "INP": 0.5, "relevant": 2, "nearest": 0}]


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@pytest.mark.parametrize(
    "ranks", [[], [0], [-1, 2], [2, 1], [1, 1], [1.0, 2.0], [1, np.nan], [[1, 2]], 3, None, "12", [True], [1, 2**70]]
)
def test_impossible_ranks_are_refused(metric, ranks):
    with pytest.raises(ArgumentError, match=r"^ranks must be "):
        metric(ranks)
    with pytest.raises(ArgumentError, match=r"^ranks must be "):
        metric(np.array(ranks))


def test_ranks_need_not_be_an_array():
    assert METRICS["AP"]([1, 4]) == METRICS["AP"](torch.tensor([1, 4])) == 0.75


def test_a_collapsed_model_scores_the_worst():
    features = np.ones((4, 3))
    metrics = retrieval_metrics(features[:1], features, [0], [0, 1, 1, 1], ks=(1, 3, 4))
    assert metrics == {"R@1": 0.0, "R@3": 0.0, "R@4": 100.0, "mAP": 25.0, "mINP": 25.0}


def test_duplicates_tie_whatever_their_scale():
    rng = np.random.default_rng(3)
    base = rng.normal(size=512)
    gallery = np.stack(
        [base * scale for scale in (0.3, 1, 1e-5, 7e4, 11)]
    )  # their cosines differ by float64's rounding
    queries = rng.normal(size=(50, 512))
    assert all(ranks.tolist() == [5] for ranks in rank_relevant(queries, gallery, [1] * 50, [1, 0, 0, 0, 0]).ranks)
    single = gallery[[1, 1, 1]].astype(np.float32)
    assert all(ranks.tolist() == [3] for ranks in rank_relevant(queries, single, [1] * 50, [0, 1, 0]).ranks)


def test_torch_and_numpy_agree_for_every_dtype():
    problem = random_problem(1)
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        tensors = [torch.from_numpy(x).to(dtype).requires_grad_() for x in problem[:2]]
        arrays = [x.detach().double().numpy() for x in tensors]
        ids = [torch.from_numpy(x) for x in problem[2:]]
        assert retrieval_metrics(*tensors, *ids) == retrieval_metrics(*arrays, *problem[2:])
    names = [[f"p{i}" for i in x] for x in problem[2:]]
    assert retrieval_metrics(*problem[:2], *names) == retrieval_metrics(*problem)


def test_query_without_relevant_item_is_left_out_and_counted():
    queries, gallery, query_ids, gallery_ids = random_problem(2)
    query_ids[[3, 10]] = 999
    with pytest.warns(UserWarning, match="2 of 60 queries have no relevant item"):
        metrics, table = retrieval_metrics(queries, gallery, query_ids, gallery_ids, per_query=True)
    kept = query_ids != 999
    assert metrics == retrieval_metrics(queries[kept], gallery, query_ids[kept], gallery_ids)
    assert table.index[table["AP"].isna()].tolist() == [3, 10]
    assert table.loc[[3, 10], "relevant"].tolist() == [0, 0]
    with pytest.raises(ValueError, match="none of the 60 queries"):
        retrieval_metrics(queries, gallery, query_ids * 0 - 1, gallery_ids)


def test_the_whole_matrix_is_never_held():
    queries, gallery, query_ids, gallery_ids = random_problem(4, queries=1000, gallery=3000, dimension=2, people=1000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_BYTES", 2**19)
        tracemalloc.start()
        rank_relevant(queries, gallery, query_ids, gallery_ids, chunk_size=100_000)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 3 * 2**20 < 1000 * 3000 * 8 / 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query_features": np.ones(4)}, r"query_features must have the shape \(items, dimension\)"),
        ({"gallery_features": np.ones((0, 2))}, r"gallery_features must have the shape"),
        ({"gallery_features": np.ones((2, 3))}, "2 columns and gallery_features 3"),
        ({"gallery_features": np.array([[1, 0], [np.nan, 1]])}, "gallery_features: row 1 holds NaN"),
        ({"query_features": np.array([[1, 0], [np.inf, 1]])}, "query_features: row 1 holds NaN or infinite"),
        ({"gallery_features": np.array([[1, 0], [0, 0]])}, "gallery_features: row 1 has the length 0"),
        ({"query_ids": [1]}, r"query_ids must have the shape \(2,\)"),
        ({"gallery_ids": [1, 2, 3]}, r"gallery_ids must have the shape \(2,\)"),
        ({"gallery_ids": ["1", "2"]}, "both must be of one kind"),
        ({"gallery_ids": [1.0, 2.0]}, "must be integers or strings"),
        ({"ks": (0,)}, "ks must be positive integers"),
        ({"chunk_size": 0}, "chunk_size must be a positive integer"),
    ],
)
def test_errors_name_the_argument(change, message):
    arguments = {
        "query_features": np.eye(2),
        "gallery_features": np.eye(2),
        "query_ids": [1, 2],
        "gallery_ids": [1, 2],
    }
    with pytest.raises(ValueError, match=message):
        retrieval_metrics(**(arguments | change))


def test_bootstrap_interval_equals_plain_resampling():
    values = np.random.default_rng(0).random(40)
    low, high = bootstrap_interval(values, confidence=0.9, repeats=4000, seed=1)
    rng = np.random.default_rng(77)
    means = sorted(sum(values[rng.integers(40)] for _ in range(40)) / 40 for _ in range(4000))
    assert (low, high) == pytest.approx((means[200], means[3800]), abs=0.008)
    assert (low, high) == bootstrap_interval([*values, np.nan], confidence=0.9, repeats=4000, seed=1)
    assert (low, high) != bootstrap_interval(values, confidence=0.9, repeats=4000, seed=2)


def test_bootstrap_of_identities_is_wider_where_their_queries_agree():
    groups = np.repeat(np.arange(30), 8)
    values = (groups % 2).astype(float)
    narrow = np.diff(bootstrap_interval(values))[0]
    wide = np.diff(bootstrap_interval(values, groups=groups))[0]
    assert wide == pytest.approx(narrow * 8**0.5, rel=0.2)  # as if there were 30 values, not 240


def test_bootstrap_does_not_depend_on_its_blocks(monkeypatch):
    values = np.random.default_rng(0).random(37)
    whole = bootstrap_interval(values, repeats=500)
    monkeypatch.setattr(intervals, "BLOCK_BYTES", 8 * 37 * 7)
    assert bootstrap_interval(values, repeats=500) == whole


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ([], {}),
        ([np.nan], {}),
        ([[1.0]], {}),
        ([1.0], {"confidence": 1.0}),
        ([1.0], {"repeats": 0}),
        ([1.0], {"groups": []}),
    ],
)
def test_bootstrap_errors(values, options):
    with pytest.raises(ValueError, match=r"must |holds no number"):
        bootstrap_interval(values, **options)


def in_float64(queries, gallery, query_ids, gallery_ids) -> list[list[int]]:
    """The ranks by the tie rule, one query at a time, in float64 throughout."""
    queries, gallery = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (queries, gallery))
    ranks = []
    for query, identity in zip(queries, query_ids, strict=True):
        scores = (gallery * query).sum(axis=1)
        right, wrong = np.sort(scores[gallery_ids == identity])[::-1], scores[gallery_ids != identity]
        ranks.append([place + int((wrong >= score - 1e-9).sum()) for place, score in enumerate(right, start=1)])
    return ranks


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    gaps=st.lists(st.sampled_from([0.0, 1e-12, 1e-8, 1e-7, 3e-7, 1e-6, 1e-5, 1e-4, 0.1]), min_size=4, max_size=120),
    people=st.integers(2, 40),
    dtype=st.sampled_from([np.float64, np.float32]),
    near=st.sampled_from([0, 2, 64]),
)
def test_near_ties_stand_as_in_float64(seed, gaps, people, dtype, near):
    """Items whose cosines with the first query differ by less than float32 can tell, at every angle and in D = 40."""
    rng = np.random.default_rng(seed)
    axis, other = np.linalg.qr(rng.normal(size=(40, 2)))[0].T
    cosines = np.clip(rng.uniform(-0.9, 0.9) + np.cumsum(gaps) * rng.choice([-1, 1]), -1, 1)
    gallery = (np.outer(cosines, axis) + np.outer(np.sqrt(1 - cosines**2), other)) * rng.uniform(0.1, 9, (len(gaps), 1))
    gallery, queries = gallery.astype(dtype), np.stack([axis, *rng.normal(size=(5, 40))]).astype(dtype)
    order = rng.permutation(len(gallery))
    gallery, ids = gallery[order], rng.integers(0, people, len(gallery))
    wanted = rng.choice(ids, len(queries))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "NEAR", near)
        patch.setattr(module, "BLOCK_BYTES", 4 * 6 * int(rng.integers(1, 50)))
        ranking_ = rank_relevant(queries, gallery, wanted, ids)
    expected = in_float64(queries.astype(np.float64), gallery.astype(np.float64), wanted, ids)
    # Gaps of 1e-9 exactly are decided by the last digit of float64; the strategies have none.
    assert [ranks.tolist() for ranks in ranking_.ranks] == expected


def test_a_large_collapsed_gallery_is_ranked_in_float64_by_blocks():
    ids = np.arange(3000) % 50
    ranking_ = rank_relevant(np.ones((40, 8)), np.ones((3000, 8)), np.arange(40), ids)
    assert all(ranks.tolist() == list(range(2941, 3001)) for ranks in ranking_.ranks)
    assert ranking_.nearest.tolist() == [1, *[0] * 39], "the first wrong item"
