"""Features and identities as arrays: checked, and brought to length one."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tireid.basics.arguments import ArgumentError, Kind

Features = npt.NDArray[Any] | torch.Tensor
Ids = npt.NDArray[Any] | torch.Tensor | Sequence[Any]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def normalised_rows(features: Features, name: str) -> Floats:
    """(N, D) float64 rows of length one, as a new array.

    Raises:
        ValueError: not two-dimensional, no row or column, NaN or infinite values, a row of zeros; names the first row.
    """
    array = numbers(features, name).astype(np.float64)
    array /= lengths(array, name)
    return array


def lengths(array: Floats, name: str) -> Floats:
    """(N, 1) lengths of the rows; raises as :func:`normalised_rows`."""
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} must have the shape (items, dimension), both at least 1, not {array.shape}")
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        raise ValueError(f"{name}: row {int(np.argmin(finite))} holds NaN or infinite values")
    norms: Floats = np.linalg.norm(array, axis=1, keepdims=True)
    usable = (norms > 0) & np.isfinite(norms)
    if not usable.all():
        row = int(np.argmin(usable[:, 0]))
        raise ValueError(f"{name}: row {row} has the length {norms[row, 0]:g}, so its direction is undefined")
    return norms


def numbers(values: Any, name: str) -> npt.NDArray[Any]:
    """As :func:`to_numpy`, of real numbers. Raises ArgumentError for what has others, holes, or no rows alike."""
    try:
        array = to_numpy(values)
        array = array.astype(np.float64) if array.dtype.kind == "O" else array
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentError(f"{name} must be a dense array of numbers: {error}") from error
    if array.dtype.kind not in "biuf" or np.ma.is_masked(values):
        raise ArgumentError(f"{name} must be real numbers without a mask, got {type(values).__name__} of {array.dtype}")
    return array


def to_numpy(values: Any) -> npt.NDArray[Any]:
    """An array or tensor of any device and dtype (bfloat16 included) as a NumPy array; it stays masked if it is."""
    if not isinstance(values, torch.Tensor):
        return values if np.ma.is_masked(values) else np.asarray(values)
    values = values.detach().cpu()
    return np.asarray((values.float() if values.dtype == torch.bfloat16 else values).numpy())


def checked_ids(
    ids: Ids, name: str, length: int, kinds: str = "iubUS", expected: str = "integers or strings"
) -> npt.NDArray[Any]:
    """(length,) identities of one of the `kinds` as an array. Raises ValueError for another shape or kind."""
    array = to_numpy(ids)
    if np.ma.is_masked(array):
        raise ArgumentError(f"{name} must be {expected} without a mask: leave the masked rows out, or fill them")
    if array.shape != (length,):
        raise ValueError(f"{name} must have the shape ({length},), one per row, not {array.shape}")
    if array.dtype.kind == "O":  # a column of pandas
        array = np.array(array.tolist())
    if array.dtype.kind not in kinds:
        raise ValueError(f"{name} must be {expected}, not {array.dtype}")
    return array


def checked_numbers(ids: Ids, name: str, length: int) -> Ints:
    """(length,) integers. Raises ValueError for another shape or kind, such as the NaN of somebody unknown, or 1.9."""
    expected = "integers below 2**63 (for a gallery of unknown people pass None)"
    array = checked_ids(ids, name, length, "iu", expected)
    if array.max(initial=0) >= 2**63:
        raise ValueError(f"{name} must be {expected}, not {array.max()}")
    return array.astype(np.int64)


def _known(value: Any) -> int | None:
    if value is None or value is np.ma.masked or type(value).__name__ == "NAType" or value != value:  # pandas', or NaN
        return None
    number = operator.index(int(value) if isinstance(value, float) and value.is_integer() else value)
    if isinstance(value, bool) or not -(2**63) < number < 2**63:
        raise ValueError
    return number


CAMERA = Kind("an integer below 2**63, or None or NaN where it is not known", _known)
