"""Coverage-guided fuzzing of one boundary: `python -m tests.boundaries.guided NAME -runs=1000000` (needs atheris)."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import mkdtemp

import atheris

with atheris.instrument_imports(include=["tireid", "yaml", "pydantic", "safetensors"]):
    from tests.boundaries.targets import TARGETS


def main() -> None:
    """Start from the boundary's seed; libFuzzer's own options follow the name."""
    name, *options = sys.argv[1:]
    corpus = Path(mkdtemp(prefix="tireid-corpus-"))
    (corpus / "seed").write_bytes(TARGETS[name].seed)
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[name].passes)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
