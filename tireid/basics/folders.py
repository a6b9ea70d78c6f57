"""Folders of the package's own."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Where caches and generated data live: `$TIREID_CACHE`, else `$XDG_CACHE_HOME/tireid`, else `~/.cache/tireid`.

    >>> import os
    >>> from unittest.mock import patch
    >>> with patch.dict(os.environ, {"TIREID_CACHE": "/data/tireid"}):
    ...     print(cache_dir())
    ...
    /data/tireid
    """
    if own := os.environ.get("TIREID_CACHE"):
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared).expanduser() if shared else Path.home() / ".cache") / "tireid"
