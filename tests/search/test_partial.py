"""An indexing that was not finished: what it has encoded is taken from where it was put down, and only that."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.search.fakes import ColourModel, make_crops, picture
from tireid.basics.files import remove_leftovers
from tireid.data.images import ImageError
from tireid.search import Gallery, encoded, storage
from tireid.search.gallery import GalleryError

pytestmark = pytest.mark.filterwarnings("ignore:.*cannot be read")
BATCH = 4


class Crowd(ColourModel):
    """Features show how many pictures were encoded together, so that other batches are other bits; dies when asked."""

    def __init__(self, turn: float = 1.0, calls: int = 99, error: type[BaseException] = KeyboardInterrupt) -> None:
        super().__init__(turn)
        self.left, self.error = calls, error

    def _features(self, colours: list[np.ndarray]) -> torch.Tensor:
        self.left -= 1
        if self.left < 0:
            raise self.error
        rows = super()._features(colours)
        rows[:, 3] = len(colours)
        return torch.nn.functional.normalize(rows, dim=1)


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    """Sixteen pictures, and one in the first batch that cannot be read."""
    folder = make_crops(tmp_path / "crops", per_person=4).root
    (folder / "cam0" / "bad.png").write_bytes(b"no picture")
    return folder


def indexed(folder: Path, directory: Path, model: ColourModel | None = None) -> Gallery:
    gallery = Gallery.of_folder(model or Crowd(), folder, directory, batch_size=BATCH)
    gallery.save(directory)
    return gallery


def parts(directory: Path) -> list[Path]:
    return sorted(directory.glob(storage.PARTIAL))


def stop(folder: Path, directory: Path, calls: int, error: type[BaseException] = KeyboardInterrupt) -> None:
    with pytest.raises(error):
        indexed(folder, directory, Crowd(calls=calls, error=error))


@pytest.mark.parametrize("every", [-1.0, 60.0])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError])
@pytest.mark.parametrize("calls", [1, 3, 4])
def test_only_what_is_missing_is_encoded_and_the_result_is_the_same_to_the_bit(
    calls: int, error: type[BaseException], every: float, crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded, "EVERY", every)
    indexed(crops, tmp_path / "alone")
    stop(crops, tmp_path / "index", calls, error)
    assert len(parts(tmp_path / "index")) == (calls if every < 0 else 1)
    with pytest.raises(FileNotFoundError, match="is not a gallery"):
        Gallery.load(tmp_path / "index")
    model = Crowd()
    gallery = indexed(crops, tmp_path / "index", model)
    assert model.calls == [3, 4, 4, 4, 1][calls:]
    assert [path.name for path, _ in gallery.skipped] == ["bad.png"]
    assert [path.name for path in (tmp_path / "index").iterdir()] == [storage.FILE]
    assert (tmp_path / "index" / storage.FILE).read_bytes() == (tmp_path / "alone" / storage.FILE).read_bytes()


def test_features_that_are_not_of_length_one_yet_are_gone_on_from(
    crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Long(Crowd):
        def _features(self, colours: list[np.ndarray]) -> torch.Tensor:
            return 3 * super()._features(colours)

    monkeypatch.setattr(encoded, "EVERY", -1.0)
    with pytest.raises(KeyboardInterrupt):
        indexed(crops, tmp_path / "index", Long(calls=2))
    indexed(crops, tmp_path / "index", model := Long())
    assert model.calls == [4, 4, 1]
    Gallery.load(tmp_path / "index")


def test_an_earlier_gallery_stays_until_the_new_one_is_whole(crops: Path, tmp_path: Path) -> None:
    indexed(crops, tmp_path / "index")
    before = (tmp_path / "index" / storage.FILE).read_bytes()
    for shot in range(6):
        picture("pink", shot).save(crops / f"new{shot}.png")
    stop(crops, tmp_path / "index", calls=1)
    assert (tmp_path / "index" / storage.FILE).read_bytes() == before
    assert len(Gallery.load(tmp_path / "index")) == 16
    assert remove_leftovers(tmp_path / "index") == 0, "it is no leftover: the next call goes on from it"
    model = Crowd()
    assert len(indexed(crops, tmp_path / "index", model)) == 22
    assert model.calls == [3]
    assert not parts(tmp_path / "index")


def test_each_minute_it_is_put_down(crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 25))
    monkeypatch.setattr(encoded.time, "monotonic", lambda: next(clock))
    written: list[int] = []
    real = storage.write
    monkeypatch.setattr(
        storage,
        "write",
        lambda place, stored, name=storage.FILE: written.append(len(stored.names)) or real(place, stored, name),
    )
    Gallery.of_folder(Crowd(), crops, tmp_path / "index", batch_size=BATCH)
    assert written == [11], "three batches in 75 s; then two, which are saved with the gallery"


def test_a_strict_error_keeps_what_came_before(crops: Path, tmp_path: Path) -> None:
    (crops / "cam3" / "bad.png").write_bytes(b"no picture")
    (crops / "cam0" / "bad.png").unlink()
    with pytest.raises(ImageError):
        Gallery.of_folder(Crowd(), crops, tmp_path / "index", batch_size=BATCH, strict=True)
    (crops / "cam3" / "bad.png").unlink()
    model = Crowd()
    indexed(crops, tmp_path / "index", model)
    assert model.calls == [4]


def test_a_picture_that_changed_is_encoded_again(crops: Path, tmp_path: Path) -> None:
    stop(crops, tmp_path / "index", calls=3)
    picture("pink").resize((30, 30)).save(crops / "cam0" / "red_0.png")
    picture("pink").save(crops / "cam0" / "bad.png")
    model = Crowd()
    gallery = indexed(crops, tmp_path / "index", model)
    assert model.calls == [2, 4, 1], "the changed one and the mended one of the first batch, then what is missing"
    assert len(gallery) == 17
    again = Gallery.from_folder(ColourModel(), crops)
    np.testing.assert_allclose(np.argmax(gallery.features[:, :3], 1), np.argmax(again.features[:, :3], 1))


def test_another_model_or_folder_takes_nothing(crops: Path, tmp_path: Path) -> None:
    stop(crops, tmp_path / "index", calls=3)
    model = Crowd(2.0)
    indexed(crops, tmp_path / "index", model)
    assert sum(model.calls) == 16
    assert not parts(tmp_path / "index")
    stop(crops, tmp_path / "other", calls=3)
    crops.rename(tmp_path / "moved")
    model = Crowd()
    indexed(tmp_path / "moved", tmp_path / "other", model)
    assert sum(model.calls) == 16


def test_a_damaged_part_costs_its_own_pictures_only(
    crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded, "EVERY", -1.0)
    stop(crops, tmp_path / "index", calls=3)
    part = parts(tmp_path / "index")[0]
    part.write_bytes(part.read_bytes()[:-9])
    model = Crowd()
    indexed(crops, tmp_path / "index", model)
    assert len(model.calls) == 3
    stop(crops, tmp_path / "next", calls=3)
    with pytest.raises(GalleryError):
        storage.read_file(tmp_path / "next" / "partial-absent.safetensors")


def test_one_that_ends_does_not_stop_one_beside_it(
    crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded, "EVERY", -1.0)
    indexed(crops, tmp_path / "alone")

    def other_ends(done: int, total: int) -> None:
        indexed(crops, tmp_path / "index")

    Gallery.of_folder(Crowd(), crops, tmp_path / "index", batch_size=BATCH, on_progress=other_ends).save(
        tmp_path / "index"
    )
    assert [path.name for path in (tmp_path / "index").iterdir()] == [storage.FILE]
    assert (tmp_path / "index" / storage.FILE).read_bytes() == (tmp_path / "alone" / storage.FILE).read_bytes()


def test_a_disk_that_is_full_is_told_and_costs_one_part(
    crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded, "EVERY", -1.0)
    real, calls = storage.save_file, iter(range(99))

    def full(*given: object, **options: object) -> None:
        if next(calls) > 1:
            raise OSError(28, os.strerror(28))
        real(*given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(storage, "save_file", full)
    with pytest.raises(OSError, match=r"No space left.*free some and do the same again"):
        indexed(crops, tmp_path / "index")
    monkeypatch.setattr(storage, "save_file", real)
    model = Crowd()
    indexed(crops, tmp_path / "index", model)
    assert model.calls == [4, 4, 1]


def test_a_folder_named_from_elsewhere_is_the_same(
    crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    stop(Path("../crops"), Path("../index"), calls=3)
    model = Crowd()
    indexed(Path("../crops"), Path("../index"), model)
    assert model.calls == [4, 1]
    model.calls.clear()
    indexed(Path("../crops"), Path("../index"), model)
    assert model.calls == []
