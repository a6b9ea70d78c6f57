"""Pictures on cards are shown as a viewer shows them."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

from tireid.show.cards import thumbnail


def test_a_photograph_stands_upright(tmp_path: Path) -> None:
    """Stored on its side, with the EXIF orientation that turns it; galleries encode it upright, too."""
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (96, 32)).save(tmp_path / "a.jpg", exif=turned)
    address = thumbnail(tmp_path / "a.jpg")
    assert address is not None
    assert Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).size == (32, 96)
