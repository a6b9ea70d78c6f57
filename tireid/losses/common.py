"""What all losses share: full precision whatever autocast says, and checks of their arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from tireid.basics.arguments import NUMBER, ArgumentError

P = ParamSpec("P")
R = TypeVar("R")

CELLS = 2**20
"""Scores of rows with columns that a loss holds at a time: a batch of up to 1,024 pairs is one block."""
EPSILON = 1e-8
"""Inside the logarithm of a target distribution that is 0 in places."""
HALF_TYPES = (torch.float16, torch.bfloat16)


def full_precision(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` without autocast, its half-precision tensors as float32 (float64 stays float64).

    The exponentials of a loss with gamma = 64 or temperature = 0.02 have no digits left in bfloat16. Arguments are held
    against their annotations: ArgumentError names one that is no tensor or no finite number, and tensors that lie on
    several devices.
    """
    annotations = {name: str(one.annotation) for name, one in inspect.signature(function).parameters.items()}

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        _check_kinds(annotations, {**dict(zip(annotations, args, strict=False)), **kwargs})
        tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        device = tensors[0].device.type if tensors else "cpu"
        with torch.autocast(device, enabled=False):
            return function(*map(_promote, args), **{name: _promote(value) for name, value in kwargs.items()})

    return wrapper


def _check_kinds(annotations: dict[str, str], given: dict[str, Any]) -> None:
    """The tensors are dense and on one device; numbers are finite, and those that divide or scale above 0."""
    first: Tensor | None = None
    for name, value in given.items():
        kind = annotations.get(name)
        if kind == "Tensor":
            if not isinstance(value, Tensor) or value.layout != torch.strided:
                got = value.layout if isinstance(value, Tensor) else type(value).__name__
                raise ArgumentError(f"{name} must be a dense torch.Tensor, got {got}")
            first = value if first is None else first
            if value.device != first.device:
                raise ArgumentError(f"{name} is on {value.device}, others are on {first.device}: bring them together")
        elif kind == "float" and not isinstance(value, Tensor):
            NUMBER(name, value)
            if name in ("temperature", "gamma") and value <= 0:
                raise ArgumentError(f"{name} must be above 0, got {value}")


def at_least_float32(tensor: Tensor) -> Tensor:
    """Half precision as float32, anything else as it is."""
    return tensor.float() if tensor.dtype in HALF_TYPES else tensor


def _promote(value: Any) -> Any:
    return at_least_float32(value) if isinstance(value, Tensor) else value


def check_matrix(name: str, value: Tensor) -> None:
    """`value` is a non-empty floating-point matrix, else ValueError naming the argument."""
    if value.ndim != 2 or 0 in value.shape or not value.is_floating_point():
        raise ValueError(f"{name} must be a non-empty floating-point matrix, got {tuple(value.shape)} of {value.dtype}")


def check_mask(name: str, mask: Tensor, shape: torch.Size) -> None:
    """`mask` is boolean and of that shape, else ValueError naming the argument."""
    if mask.dtype != torch.bool or mask.shape != shape:
        raise ValueError(f"{name} must be bool of shape {tuple(shape)}, got {tuple(mask.shape)} of {mask.dtype}")


def check_pairs(first: str, second: str, a: Tensor, b: Tensor) -> None:
    """`a` and `b` are matrices of the same shape, else ValueError naming them."""
    check_matrix(first, a)
    check_matrix(second, b)
    if a.shape != b.shape or a.dtype != b.dtype:
        got = f"{tuple(a.shape)} of {a.dtype} and {tuple(b.shape)} of {b.dtype}"
        raise ValueError(f"{first} and {second} must have the same shape and dtype, got {got}")


def check_batch(image_features: Tensor, text_features: Tensor, person_ids: Tensor) -> None:
    """Features (B, D) and integers (B,) of B pairs fit together, else ValueError naming them."""
    check_pairs("image_features", "text_features", image_features, text_features)
    check_ids("person_ids", person_ids, len(image_features))


def check_ids(name: str, ids: Tensor, count: int) -> None:
    """`ids` holds `count` integers, else ValueError naming the argument."""
    if ids.shape != (count,) or ids.is_floating_point() or ids.dtype == torch.bool:
        raise ValueError(f"{name} must be {count} integers, got {tuple(ids.shape)} of {ids.dtype}")


def check_range(labels: Tensor, classes: int, fix: str) -> None:
    """`labels` lie in 0..classes - 1, else ValueError that ends with `fix`.

    On an accelerator, or when compiled, cross-entropy's own check must do: reading the labels back would wait.
    """
    if torch.compiler.is_compiling() or labels.device.type != "cpu" or not len(labels):
        return
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise ValueError(f"labels must lie in 0..{classes - 1}, got {low}..{high}: {fix}")


def same_person(rows: Tensor, columns: Tensor | None = None) -> Tensor:
    """Bool (N, M): row and column have the same id."""
    return rows[:, None] == (rows if columns is None else columns)[None, :]


@full_precision
def cosines(image: Tensor, text: Tensor) -> Tensor:
    """Cosine of every row of image (..., N, D) with every row of text (..., M, D): (..., N, M)."""
    return F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).transpose(-1, -2)


def blocks(rows: int, columns: int) -> list[slice]:
    """Which rows are compared with so many columns at a time, so that memory does not grow with their product.

    >>> blocks(3000, 1024)
    [slice(0, 1024, None), slice(1024, 2048, None), slice(2048, 3072, None)]
    """
    step = max(1, CELLS // columns)
    return [slice(begin, begin + step) for begin in range(0, rows, step)]


RowLoss = Callable[[Tensor, Tensor], Tensor]
"""From the scores (n, M) of some anchors, and which of the batch they are (n,), to a loss of each (n,)."""


class _RowSums(torch.autograd.Function):
    """Sum over the anchors (N, D) of their loss, some rows at a time, the gradient of each block beside its value."""

    @staticmethod
    def forward(ctx: Any, anchors: Tensor, others: Tensor, loss: RowLoss) -> Tensor:
        total, pulls = anchors.new_zeros(()), (torch.zeros_like(anchors), torch.zeros_like(others))
        numbers = torch.arange(len(anchors), device=anchors.device)
        for rows in blocks(len(anchors), len(others)):
            own = anchors[rows]
            with torch.set_grad_enabled(any(ctx.needs_input_grad)):
                scores = (own @ others.T).detach().requires_grad_(any(ctx.needs_input_grad))
                value = loss(scores, numbers[rows]).sum()
            total += value.detach()
            if value.requires_grad:
                (pull,) = torch.autograd.grad(value, scores)
                pulls[0][rows] = pull @ others
                pulls[1].addmm_(pull.T, own)
        ctx.save_for_backward(*pulls)
        return total

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        return *(given[0] * pull for pull in ctx.saved_tensors), None


@full_precision
def one_way(anchors: Tensor, others: Tensor, loss: RowLoss) -> Tensor:
    """Mean over the anchors (N, D) of `loss`, which scores them by their products with the others (M, D).

    Of more than :data:`CELLS` products, some are held at a time; nothing else that `loss` reads gets a gradient then.
    """
    if len(anchors) * len(others) > CELLS:
        total: Tensor = _RowSums.apply(anchors, others, loss)  # type: ignore[no-untyped-call]
        return total / len(anchors)
    return loss(anchors @ others.T, torch.arange(len(anchors), device=anchors.device)).sum() / len(anchors)


@full_precision
def both_ways(image: Tensor, text: Tensor, loss: RowLoss) -> Tensor:
    """:func:`one_way` of the images' directions (B, D) against the texts', plus the reverse."""
    image, text = F.normalize(image, dim=1), F.normalize(text, dim=1)
    if len(image) * len(text) > CELLS:
        return one_way(image, text, loss) + one_way(text, image, loss)
    scores, numbers = image @ text.T, torch.arange(len(image), device=image.device)
    return loss(scores, numbers).mean() + loss(scores.T, numbers).mean()


def row_divergence(logits: Tensor, matches: Tensor) -> Tensor:
    """KL(softmax(logits) || matches / row count) of each row (N,), for logits and bool matches (N, M)."""
    log_p = logits.log_softmax(dim=1)
    q = matches.to(logits.dtype)
    q = q / q.sum(dim=1, keepdim=True)
    return (log_p.exp() * (log_p - (q + EPSILON).log())).sum(dim=1)
