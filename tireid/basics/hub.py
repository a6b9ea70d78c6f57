"""Files of a model on the hub: from the cache, or downloaded because the user named the model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
SECONDS = 5.0
"""How long the hub may take to answer."""


def is_hub_id(source: str | Path) -> bool:
    """Whether `source` is of the form owner/name and no path here.

    >>> is_hub_id("openai/clip-vit-base-patch16"), is_hub_id("/data/model"), is_hub_id("weights.pth")
    (True, False, False)
    """
    return HUB_ID.fullmatch(str(source)) is not None and not Path(source).exists()


def hub_folder(name: str, needed: Sequence[str], wanted: Sequence[str] = (), *, download: bool = True) -> Path:
    """A folder with the files of the model `name` that match the patterns `needed` and `wanted`.

    Each entry of `needed` may name alternatives, `a|b`. What is in the cache is used as it is; the network is asked
    only if something needed is not there and `download` allows it, and `HF_HUB_OFFLINE=1` forbids it. Raises OSError
    saying what is missing.
    """
    from huggingface_hub import snapshot_download  # slow to import, and only hub ids need it

    patterns = [part for entry in (*needed, *wanted) for part in entry.split("|")]
    reason = "it is not in the cache"
    for offline in (True, False) if download else (True,):
        try:
            folder = Path(
                snapshot_download(name, allow_patterns=patterns, local_files_only=offline, etag_timeout=SECONDS)
            )
        except (OSError, ValueError) as error:  # ValueError: the name is not one
            reason = reason if offline else " ".join(str(error).split())[:200]
            continue
        absent = [entry for entry in needed if not any(list(folder.glob(part)) for part in entry.split("|"))]
        if not absent:
            return folder
        reason = f"it has no {' and no '.join(absent).replace('|', ' or ')}"
    raise OSError(f"there is no folder {name} here, and the hub's cannot be used: {reason}")
