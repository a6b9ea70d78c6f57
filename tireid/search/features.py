"""Features and identities as arrays: checked, and brought to length one."""

from __future__ import annotations

import operator
import warnings
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
BLOCK = 1 << 16


def normalised_rows(features: Features, name: str) -> Floats:
    """(N, D) float64 rows of length one, as a new array.

    Raises:
        ValueError: not two-dimensional, no row or column, NaN or infinite values, a row of zeros; names the first row.
    """
    array = numbers(features, name).astype(np.float64)
    array /= lengths(array, name)
    return array


def unit_rows(features: Features) -> torch.Tensor:
    """(N, D) float32 of length one; rows that already are stay as they are to the bit, so that saving changes no score.

    Float32 rows of length one are not copied; what must be changed is, a block at a time.

    Raises:
        ValueError: not two-dimensional, no row or column, NaN or infinite values, a row of zeros; names the first row.
    """
    given = numbers(features, "features")
    if given.ndim != 2 or 0 in given.shape:
        normalised_rows(given, "features")  # says what is wrong
    unit = given if given.dtype == np.float32 and given.dtype.isnative else np.empty(given.shape, np.float32)
    for begin in range(0, len(given), BLOCK):
        block = given[begin : begin + BLOCK]
        norms = np.sqrt(np.einsum("nd,nd->n", block, block, dtype=np.float64))
        if not (np.isfinite(norms).all() and norms.all()):
            normalised_rows(given, "features")
        off = np.abs(1 - 1 / norms) * np.abs(block).max(axis=1) >= 1e-6
        if off.any() and unit is given:
            unit = given.copy()
        if unit is not given:
            unit[begin : begin + BLOCK] = block
            unit[begin : begin + BLOCK][off] = block[off] / norms[off, None]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # nothing writes to it
        return torch.from_numpy(np.ascontiguousarray(unit))


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
