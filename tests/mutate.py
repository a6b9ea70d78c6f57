"""Damaged copies of a JSON file: values of other types and sizes, missing and nested parts, broken bytes."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

NASTY: tuple[Any, ...] = (
    *(0, -1, 1, 2, 3, 7, 2**31, 2**63, 10**30, -(2**63), 0.0, 0.5, -0.0, 1e308, float("nan"), float("inf")),
    *("", "0", "gelu_new", "kernels-community/flash-attn", "../../etc/passwd", "\ud800", "\x00", "\x1b[2J", "a" * 5000),
    *(None, True, False, [], {}, [[]], [0], [0, 0], {"": {}}, ["a", "b", "c"], {"type": "BPE"}),
)
BYTES = (
    b"\x00",
    b"\xff",
    b"{",
    b"}",
    b"[" * 3000,
    b'"',
    b"1e999",
    b"9" * 5000,
    b",",
    b"\\ud800",
    b"null",
    b"NaN",
    b"\xef\xbb\xbf",
)


def mutated(tree: dict[str, Any], rng: random.Random) -> bytes:
    """One to three changes to the tree, and every fourth time one to its text."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.randint(1, 3)):
        _change(tree, rng)
    content = json.dumps(tree).encode()
    return _break(content, rng) if rng.random() < 0.25 else content


def _change(tree: dict[str, Any], rng: random.Random) -> None:
    parents = _parents(tree)
    parent = rng.choice(parents)
    keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
    if not keys:
        return
    key = rng.choice(keys)
    action = rng.random()
    if action < 0.2:
        del parent[key]
    elif action < 0.3:
        parent[key] = [copy.deepcopy(parent[key])] * rng.randint(1, 3)
    elif action < 0.4 and isinstance(parent, dict):
        parent[f"{key}_dict"] = parent.pop(key)
    elif isinstance(parent[key], int) and action < 0.6:
        parent[key] += rng.choice((-1, 1, 8, 2**20))
    else:
        parent[key] = copy.deepcopy(rng.choice(NASTY))


def _parents(tree: Any) -> list[Any]:
    """Every dict and list; a long one (a vocabulary) counts once, so its entries do not crowd out the rest."""
    found, todo = [], [tree]
    while todo:
        node = todo.pop()
        found.append(node)
        children = list(node.values() if isinstance(node, dict) else node)[:60]
        todo += [child for child in children if isinstance(child, (dict, list))]
    return found


def _break(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    action = rng.random()
    if action < 0.3:
        return content[:at]
    if action < 0.6:
        return content[:at] + rng.choice(BYTES) + content[at:]
    return content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]
