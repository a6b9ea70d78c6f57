"""Every loss again, with plain loops over Python floats (float64)."""

from __future__ import annotations

from math import exp, log, sqrt

Matrix = list[list[float]]


def circle(
    similarity: Matrix,
    positives: list[list[bool]],
    m: float,
    gamma: float,
    optima: tuple[float, float] | None = None,
    margins: tuple[float, float] | None = None,
    mean: bool = False,
    bound: float = 0.0,
) -> float:
    """One direction; equation 5 of the circle loss paper, written as log(1 + sum_neg * sum_pos).

    `optima` and `margins` are those of positives and negatives, by default equation 6's. With `mean` the sums are
    means; with `bound` q the loss of an anchor is (1 - p^q) / q, p = 1 / (1 + sum_neg * sum_pos).
    """
    (o_p, o_n), (m_p, m_n) = optima or (1 + m, -m), margins or (1 - m, m)
    total = 0.0
    for row, is_positive in zip(similarity, positives, strict=True):
        sum_positive = sum_negative = 0.0
        for s, positive in zip(row, is_positive, strict=True):
            if positive:
                sum_positive += exp(-gamma * max(0.0, o_p - s) * (s - m_p))
            else:
                sum_negative += exp(gamma * max(0.0, s - o_n) * (s - m_n))
        if mean:
            sum_positive, sum_negative = sum_positive / sum(is_positive), sum_negative / (len(row) - sum(is_positive))
        exponential = sum_negative * sum_positive
        total += (1 - (1 + exponential) ** -bound) / bound if bound else log(1 + exponential)
    return total / len(similarity)


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def unit(a: list[float]) -> list[float]:
    length = sqrt(dot(a, a))
    return [x / length for x in a]


def softmax(row: list[float]) -> list[float]:
    top = max(row)
    weights = [exp(x - top) for x in row]
    return [w / sum(weights) for w in weights]


def transpose(matrix: Matrix) -> Matrix:
    return [list(column) for column in zip(*matrix, strict=True)]


def matching(logits: Matrix, ids: list[int]) -> float:
    """mean_i sum_j p (log p - log(q + 1e-8))."""
    total = 0.0
    for i, row in enumerate(logits):
        p = softmax(row)
        count = sum(1 for other in ids if other == ids[i])
        for j in range(len(row)):
            q = 1 / count if ids[j] == ids[i] else 0.0
            if p[j] > 0:
                total += p[j] * (log(p[j]) - log(q + 1e-8))
    return total / len(logits)


def sdm(images: Matrix, texts: Matrix, ids: list[int], temperature: float) -> float:
    logits = [[dot(unit(v), unit(t)) / temperature for t in texts] for v in images]
    return matching(logits, ids) + matching(transpose(logits), ids)


def cmpm(images: Matrix, texts: Matrix, ids: list[int]) -> float:
    image_on_text = [[dot(v, unit(t)) for t in texts] for v in images]
    text_on_image = [[dot(t, unit(v)) for v in images] for t in texts]
    return matching(image_on_text, ids) + matching(text_on_image, ids)


def infonce(images: Matrix, texts: Matrix, temperature: float) -> float:
    logits = [[dot(unit(v), unit(t)) / temperature for t in texts] for v in images]
    own = list(range(len(logits)))
    return (cross_entropy(logits, own) + cross_entropy(transpose(logits), own)) / 2


def cross_entropy(logits: Matrix, labels: list[int]) -> float:
    return sum(-log(softmax(row)[label]) for row, label in zip(logits, labels, strict=True)) / len(logits)


def recovery(recovered: Matrix, target: Matrix, ids: list[int], temperature: float) -> float:
    """-mean_i log( sum over the same person / sum over all )."""
    total = 0.0
    for i, g in enumerate(recovered):
        over_all = over_same = 0.0
        for j, r in enumerate(target):
            weight = exp(dot(unit(g), unit(r)) / temperature)
            over_all += weight
            if ids[i] == ids[j]:
                over_same += weight
        total -= log(over_same / over_all)
    return total / len(recovered)


def tal(images: Matrix, texts: Matrix, ids: list[int], margin: float, temperature: float) -> float:
    similarity = [[dot(unit(v), unit(t)) for t in texts] for v in images]
    return sum(soft_triplet(rows, ids, margin, temperature) for rows in (similarity, transpose(similarity)))


def soft_triplet(similarity: Matrix, ids: list[int], margin: float, temperature: float) -> float:
    """mean_i [margin - soft-max-weighted positive + temperature * log sum of exponentials of the negatives]_+"""
    total = 0.0
    for i, row in enumerate(similarity):
        right = [s for s, other in zip(row, ids, strict=True) if other == ids[i]]
        wrong = [exp(s / temperature) for s, other in zip(row, ids, strict=True) if other != ids[i]]
        weights = softmax([s / temperature for s in right])
        if wrong:
            total += max(0.0, margin - dot(weights, right) + temperature * log(sum(wrong)))
    return total / len(similarity)
