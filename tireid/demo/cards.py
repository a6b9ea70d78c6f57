"""One result as HTML: a picture or a caption with rank, score, sign, and places won or lost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tireid.demo.parts import safe
from tireid.demo.source import Answer
from tireid.search.gallery import Gallery

WORDS = {True: "right", False: "wrong", None: ""}
SIGNS = {True: "✓", False: "✗", None: ""}


def cards(answer: Answer, gallery: Gallery, made: Mapping[Path, str | None], picked: str = "") -> list[str]:
    """HTML of every result; `made` holds the thumbnails that are there already, None where one cannot be read."""
    results = answer.results
    if answer.kind == "captions":
        return [_caption_card(result) for result in results]
    paths = [gallery.paths[row] for row in answer.rows]
    return [_picture_card(result, path, made, picked) for result, path in zip(results, paths, strict=True)]


def alt_of(result: Mapping[Any, Any]) -> str:
    """A picture in words: rank, score, right or wrong, person, file.

    >>> alt_of({"rank": 1, "score": 0.71, "correct": True, "person_id": 7, "name": "a.jpg"})
    'rank 1, score 0.710, right, person 7, a.jpg'
    """
    verdict = _verdict(result)
    parts = [f"rank {result['rank']}", f"score {_score(result)}"]
    parts += [WORDS[verdict]] if verdict is not None else []
    parts += [f"person {result['person_id']}"] if _there(result, "person_id") else []
    return ", ".join([*parts, str(result.get("name") or result.get("caption"))])


def moves(result: Mapping[Any, Any]) -> str:
    """Places won or lost, as a sign and a number: without the words that are off, or by the second model.

    >>> moves({"moved": 2}), moves({"moved": -3}), moves({"change": 0}), moves({})
    ('▲ 2', '▼ 3', '= 0', '')
    """
    key = "change" if _there(result, "change") else "moved"
    if not _there(result, key):
        return ""
    places = int(result[key])
    return f"{'▲' if places > 0 else '▼' if places < 0 else '='} {abs(places)}"


def _picture_card(result: dict[Any, Any], path: Path, made: Mapping[Path, str | None], picked: str) -> str:
    name, alt = str(result["name"]), alt_of(result)
    if path not in made:
        picture = f'<span role="img" aria-label="{safe(alt)}">…</span>'
    elif made[path] is None:
        missing = f"picture cannot be read: {name}"
        picture = f'<span class="missing" role="img" aria-label="{safe(alt)}, {safe(missing)}">{safe(missing)}</span>'
    else:
        picture = f'<img alt="{safe(alt)}" src="{made[path]}">'
    kinds = [WORDS[_verdict(result)], "picked" if name == picked else ""]
    person = f"<br>person {result['person_id']}" if _there(result, "person_id") else ""
    return (
        f'<figure class="{" ".join(kinds).strip()}" title="{safe(name)}"><div class="picture">{picture}</div>'
        f"<figcaption><b>{result['rank']}</b> · {_score(result)} {moves(result)}{_badge(result)}{person}"
        "</figcaption></figure>"
    )


def _caption_card(result: dict[Any, Any]) -> str:
    person = f" · person {result['person_id']}" if _there(result, "person_id") else ""
    return (
        f'<figure class="caption {WORDS[_verdict(result)]}"><b>{result["rank"]}</b> · {result["score"]:.3f}{person}'
        f"{_badge(result, ' ')} {safe(result['caption'])}</figure>"
    )


def _badge(result: Mapping[Any, Any], before: str = "<br>") -> str:
    verdict = _verdict(result)
    return "" if verdict is None else f'{before}<span class="badge">{SIGNS[verdict]} {WORDS[verdict]}</span>'


def _score(result: Mapping[Any, Any]) -> str:
    return f"{result['score']:.3f}" if _there(result, "score") else "–"


def _verdict(result: Mapping[Any, Any]) -> bool | None:
    return bool(result["correct"]) if _there(result, "correct") else None


def _there(result: Mapping[Any, Any], key: str) -> bool:
    return result.get(key) is not None
