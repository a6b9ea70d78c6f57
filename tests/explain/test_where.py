"""Maps of words against plain loops, and their shares of garments whose place is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tireid import TIReID
from tireid.data import Split, load_dataset, load_image, normalize
from tireid.explain.grounding import picture_tokens
from tireid.explain.where import GARMENT_OF, attention, garment_shares, hiding_heat
from tireid.pedestrians import GARMENTS, read_garment_map
from tireid.pedestrians.words import TYPES


@pytest.fixture(scope="module")
def model() -> TIReID:
    return TIReID.from_pretrained("tiny-street")


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    root: Path = tmp_path_factory.mktemp("drawn")
    return load_dataset("synthetic", root, people=(1, 1, 2), images_per_person=2, seed=5, masks=["test"]).test


def cosine(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one * other).sum() / (one.norm() * other.norm()))


def test_hiding_asks_for_every_patch_what_the_score_owes_to_it(model: TIReID, split: Split) -> None:
    text, path = "a man in a dark blue coat and black jeans", split.image_paths[0]
    found = hiding_heat(model, path, text, 6)
    whole, without = (model.encode_texts([words]) for words in (text, "a man in a and black jeans"))
    pixels = normalize(load_image(path, (96, 32))[None])[0]
    full = model.encode_images(pixels[None])
    assert found.shape == model.backbone.grid == (12, 4)
    for i, j in [(0, 0), (3, 1), (5, 2), (11, 3)]:
        grey = pixels.clone()
        for y in range(96):
            for x in range(32):
                if abs(y // 8 - i) <= 1 and abs(x // 8 - j) <= 1:
                    grey[:, y, x] = 0.0
        part = model.encode_images(grey[None])
        lost = [cosine(full[0], text[0]) - cosine(part[0], text[0]) for text in (whole, without)]
        assert found[i, j] == pytest.approx(lost[0] - lost[1], abs=1e-5)


def test_a_word_that_is_not_there_is_refused(model: TIReID) -> None:
    with pytest.raises(ValueError, match="3 words"):
        hiding_heat(model, Image.new("RGB", (32, 96)), "a red coat", 3)


def test_shares_are_sums_over_the_patches_that_the_garment_covers(model: TIReID, split: Split) -> None:
    found = garment_shares(model, split)
    assert len(found) >= 6
    assert set(found["part"]) <= {"upper", "lower", "shoes"}
    ids, tokens = model.tokenizer(split.captions, trim=True), picture_tokens(model, split)
    looks = attention(model, ids, tokens[torch.from_numpy(split.caption_image_index)])
    for row in found.itertuples():
        words = [model.tokenizer.decode([int(id_)]) for id_ in ids[row.caption]]
        named = {
            part: {w for t, p in GARMENT_OF.items() if p == part for w in TYPES[t][0] + TYPES[t][1]}
            for part in GARMENT_OF.values()
        }
        drawn = read_garment_map(split.image_paths[split.caption_image_index[row.caption]]) == 1 + GARMENTS.index(
            row.part
        )
        assert row.chance == pytest.approx(100 * drawn.mean(), abs=1e-3)
        candidates = []
        for position, word in enumerate(words):
            if any(phrase.split()[-1].endswith(word) for phrase in named[row.part] if word):
                inside = total = 0.0
                for i in range(12):
                    for j in range(4):
                        weight = float(looks[row.caption, 1, :, position, 1 + 4 * i + j].mean())
                        inside += weight * drawn[16 * i : 16 * i + 16, 16 * j : 16 * j + 16].mean()
                        total += weight
                candidates.append(100 * inside / total)
        assert np.abs(np.subtract(candidates, row.attention)).min() < 1e-3
    heads = found.filter(like="head")
    assert heads.shape[1] == 16
    assert (found[["attention", "hiding", *heads]].to_numpy() <= 100.001).all()


def test_every_garment_is_worn_somewhere() -> None:
    assert {
        part: [name for name in GARMENT_OF if GARMENT_OF[name] == part][:2] for part in ("upper", "lower", "shoes")
    } == {
        "upper": ["t-shirt", "tank top"],
        "lower": ["trousers", "jeans"],
        "shoes": ["sneakers", "leather shoes"],
    }
    assert "backpack" not in GARMENT_OF
