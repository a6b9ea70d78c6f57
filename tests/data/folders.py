"""Small hand-made data sets on disk, in the three layouts."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FILES = {"CUHK-PEDES": "reid_raw.json", "ICFG-PEDES": "ICFG-PEDES.json", "RSTPReid": "data_captions.json"}
SPLITS = {"CUHK-PEDES": ("train", "val", "test"), "ICFG-PEDES": ("train", "test"), "RSTPReid": ("train", "val", "test")}
FOLDERS = {"CUHK-PEDES": "cam_a/", "ICFG-PEDES": "train/", "RSTPReid": ""}


def rows(name: str = "CUHK-PEDES", people: int = 2, images: int = 2, captions: int = 2) -> list[dict[str, Any]]:
    """`people` per split; ids start at 1 for CUHK-PEDES and at 0 elsewhere."""
    made = []
    person = 1 if name == "CUHK-PEDES" else 0
    for split in SPLITS[name]:
        for _ in range(people):
            for image in range(images):
                row = {
                    "id": person,
                    "img_path" if name == "RSTPReid" else "file_path": (
                        f"{FOLDERS[name]}{person:04d}_c{image + 1}_{image:04d}.jpg"
                    ),
                    "captions": [f"person {person} image {image} caption {c}" for c in range(captions)],
                    "split": split,
                }
                if name != "RSTPReid":
                    row["processed_tokens"] = [text.split() for text in row["captions"]]
                made.append(row)
            person += 1
    return made


def write_annotation(root: Path, content: Any, name: str = "CUHK-PEDES", file: str | None = None) -> Path:
    """`content` as the annotation file (bytes as they are), with an empty imgs/; gives the file's path."""
    folder = root / name
    (folder / "imgs").mkdir(parents=True, exist_ok=True)
    path = folder / (file or FILES[name])
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode())
    return path


def write_images(
    root: Path, content: list[dict[str, Any]], name: str = "CUHK-PEDES", size: tuple[int, int] = (48, 16)
) -> None:
    """A JPEG of random blocks for every row; `size` is (height, width)."""
    rng = np.random.default_rng(0)
    for row in content:
        path = root / name / "imgs" / row["img_path" if name == "RSTPReid" else "file_path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        blocks = rng.integers(0, 256, (size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
        Image.fromarray(blocks.repeat(8, 0).repeat(8, 1)).save(path, quality=95)


def write_folder(root: Path, name: str = "CUHK-PEDES", **counts: int) -> list[dict[str, Any]]:
    """A whole small data set; gives its rows."""
    content = rows(name, **counts)
    write_annotation(root, content, name)
    write_images(root, content, name)
    return content


def truncate(path: Path) -> None:
    """Cut off the last fifth of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 4 // 5])


@contextmanager
def nested(folder: Path, depth: int) -> Iterator[None]:
    """So many folders in each other, with a picture and its caption in the last one, until the block ends."""
    here = Path.cwd()
    try:
        os.chdir(folder)
        for _ in range(depth):
            Path("a").mkdir()
            os.chdir("a")
        Image.new("RGB", (8, 24), "red").save("deep.png")
        Path("deep.txt").write_text("a man")
        os.chdir(here)
        yield
    finally:
        os.chdir(here)
        subprocess.run(["rm", "-rf", str(folder / "a")], check=True)  # Python's own removal gives up
