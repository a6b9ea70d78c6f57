"""A model that needs no training, and a small split for it: pictures of one colour, captions that name it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tireid.data.annotations import Record
from tireid.data.dataset import Split

COLOURS = {
    "red": (200, 30, 30),
    "green": (30, 170, 40),
    "blue": (30, 40, 200),
    "yellow": (220, 210, 30),
    "black": (10, 12, 14),
    "pink": (230, 120, 180),
}
SIZE = (16, 8)


class ColourModel(torch.nn.Module):
    """Features are the mean colour and a constant; `calls` records how many items each call got."""

    def __init__(self, turn: float = 1.0) -> None:
        super().__init__()
        self.turn = torch.nn.Parameter(torch.tensor([turn, 1.0, 1.0, 0.3]))
        self.calls: list[int] = []

    def _features(self, colours: list[np.ndarray]) -> torch.Tensor:
        self.calls.append(len(colours))
        rows = torch.tensor(np.array([[*(np.asarray(c) / 127.5 - 1), 1.0] for c in colours]), dtype=torch.float32)
        return torch.nn.functional.normalize(rows * self.turn.detach(), dim=1)

    def encode_images(self, images, *, batch_size: int = 64) -> torch.Tensor:
        return self._features([self._mean_colour(image) for image in images])

    def encode_texts(self, texts, *, batch_size: int = 64) -> torch.Tensor:
        words = [[COLOURS[w] for w in text.lower().split() if w in COLOURS] or [(128, 128, 128)] for text in texts]
        return self._features([np.mean(colours, axis=0) for colours in words])

    @staticmethod
    def _mean_colour(image) -> np.ndarray:
        if isinstance(image, torch.Tensor):
            return image.double().mean(dim=(1, 2)).numpy()
        picture = image if isinstance(image, Image.Image) else Image.open(image)
        return np.asarray(picture.convert("RGB").resize(SIZE[::-1])).reshape(-1, 3).mean(axis=0)


def picture(colour: str, shade: int = 0) -> Image.Image:
    """A flat picture; `shade` darkens it."""
    array = np.tile(np.clip(np.array(COLOURS[colour]) - shade, 0, 255).astype(np.uint8), (24, 12, 1))
    return Image.fromarray(array)


@dataclass
class Crops:
    """A folder of pictures on disk and the split that describes it."""

    root: Path
    split: Split


def make_crops(root: Path, colours=("red", "green", "blue", "yellow"), per_person: int = 3) -> Crops:
    """One person per colour, with pictures of several shades in folders per camera."""
    records = []
    for person, colour in enumerate(colours, start=10):
        for shot in range(per_person):
            path = root / f"cam{shot}" / f"{colour}_{shot}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture(colour, 8 * shot).save(path)
            captions = (f"a man in {colour}", f"someone {colour} and pink")[: 1 + shot % 2]
            records.append(Record(path, person, captions, "test", shot))
    return Crops(root, Split("test", tuple(records)))
