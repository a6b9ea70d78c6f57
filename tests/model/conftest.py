"""A model small enough for a test, and a batch for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tireid.data.text import Tokenizer
from tireid.model import TIReID
from tireid.model.towers import DualEncoder, tiny_clip_config
from tireid.options import Config

CAPTIONS = [
    "a man in a red coat and blue jeans",
    "a woman with long hair in a green dress",
    "a tall man with a backpack",
    "someone in a black hat, a grey scarf and white shoes",
    "a woman in a yellow raincoat",
    "a boy with a blue bag",
]
PERSON_IDS = torch.tensor([0, 0, 1, 1, 2, 3])
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(CAPTIONS, vocab_size=600, context_length=40)


def small_model(tokenizer: Tokenizer, overrides: list[str], preset: str = "paper-strong", people: int = 4) -> TIReID:
    """The tiny architecture with one layer per tower, random weights from seed 0."""
    torch.manual_seed(0)
    config = Config.preset(preset, backbone="tiny-untrained").override(
        ["image.height=32", "image.width=16", "interaction.layers=1", *overrides]
    )
    clip = tiny_clip_config(tokenizer.vocab_size, tokenizer.eos_id)
    for section in (clip.vision_config, clip.text_config):
        section.num_hidden_layers = 1
    return TIReID(DualEncoder(clip, (32, 16), tokenizer.vocab_size, tokenizer.eos_id), tokenizer, config, people)


@pytest.fixture
def make(tokenizer: Tokenizer) -> Callable[..., TIReID]:
    return lambda *overrides, **options: small_model(tokenizer, list(overrides), **options)


@pytest.fixture(scope="session")
def batch(tokenizer: Tokenizer) -> Batch:
    pixels = torch.randn(6, 3, 32, 16, generator=torch.Generator().manual_seed(1))
    return pixels, tokenizer(CAPTIONS), PERSON_IDS
