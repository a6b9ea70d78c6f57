from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.model.conftest import CAPTIONS
from tireid.data.images import ImageError, load_image, normalize
from tireid.model import TIReID

Make = Callable[..., TIReID]


def pictures(count: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (48, 20, 3), dtype=np.uint8)) for _ in range(count)]


def test_every_kind_of_picture_gives_the_same_features(make: Make, tmp_path: Path) -> None:
    model = make().eval()
    images = pictures(3)
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for image, path in zip(images, paths, strict=True):
        image.save(path)
    pixels = torch.stack([load_image(image, (32, 16)) for image in images])
    expected = model.backbone.encode_image(normalize(pixels)).pooled
    expected = expected / expected.square().sum(dim=1, keepdim=True).sqrt()
    for form in (images, paths, [str(p) for p in paths], [np.asarray(i) for i in images], pixels, normalize(pixels)):
        features = model.encode_images(form)
        assert features.dtype == torch.float32
        torch.testing.assert_close(features, expected, rtol=1e-5, atol=1e-6)


def test_batches_do_not_change_the_result_and_order_is_kept(make: Make) -> None:
    model = make()
    images = pictures(5)
    torch.testing.assert_close(model.encode_images(images, batch_size=2), model.encode_images(images))
    torch.testing.assert_close(model.encode_texts(CAPTIONS, batch_size=1), model.encode_texts(CAPTIONS))
    swapped = model.encode_texts(CAPTIONS[::-1])
    torch.testing.assert_close(swapped.flip(0), model.encode_texts(CAPTIONS))


def test_texts_equal_the_end_of_text_feature(make: Make) -> None:
    model = make().eval()
    expected = model.backbone.encode_text(model.tokenizer(CAPTIONS)).pooled
    expected = expected / expected.norm(dim=1, keepdim=True)
    torch.testing.assert_close(model.encode_texts(CAPTIONS), expected)


def test_modes_are_restored_and_features_are_ordinary_tensors(make: Make) -> None:
    model = make().train()
    model.backbone.vision_model.eval()  # a frozen tower stays frozen
    features = model.encode_texts(CAPTIONS)
    assert model.training
    assert not model.backbone.vision_model.training
    assert not features.is_inference()
    assert not features.requires_grad
    with pytest.raises(ImageError):
        model.encode_images(["absent.jpg"])
    assert model.training


def test_nothing_gives_no_rows(make: Make) -> None:
    model = make()
    assert model.encode_images([]).shape == (0, 128)
    assert model.encode_texts([]).shape == (0, 128)
    array = model.encode_texts(CAPTIONS).numpy()
    np.testing.assert_allclose(np.linalg.norm(array, axis=1), 1, rtol=1e-6)


def test_errors_name_the_position(make: Make) -> None:
    model = make()
    with pytest.raises(ValueError, match=r"texts\[1\] must be a non-empty string, got '  '"):
        model.encode_texts(["a", "  "])
    with pytest.raises(ValueError, match=r"texts\[0\] must be a non-empty string, got 3"):
        model.encode_texts([3])
    with pytest.raises(ValueError, match="texts must be a list, got 'a man'"):
        model.encode_texts("a man")
    with pytest.raises(ValueError, match=r"images must be a list, got 'a\.jpg'"):
        model.encode_images("a.jpg")
    with pytest.raises(ValueError, match="batch_size"):
        model.encode_texts(["a"], batch_size=0)
    with pytest.raises(ValueError, match="pixel_values must be"):
        model.encode_images(torch.zeros(1, 3, 8, 8))
