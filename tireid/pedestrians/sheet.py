"""Contact sheets: many pictures on one page."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw


def contact_sheet(
    rows: Sequence[Sequence[Image.Image]], labels: Sequence[str] | None = None, scale: float = 1.0
) -> Image.Image:
    """A page with one row of pictures per person, and a label above each row.

    `scale` enlarges every picture (smoothly).

    Raises:
        ValueError: there is nothing to show, or a label is missing.

    >>> contact_sheet([[Image.new("RGB", (64, 192))] * 2], ["person 1"]).mode
    'RGB'
    """
    if not rows or not all(rows):
        raise ValueError("contact_sheet needs at least one row, and one picture in every row")
    if labels is not None and len(labels) != len(rows):
        raise ValueError(f"{len(rows)} rows but {len(labels)} labels")
    width = max(round(picture.width * scale) for row in rows for picture in row)
    height = max(round(picture.height * scale) for row in rows for picture in row)
    gap, head = 4, 14 if labels is not None else 0
    columns = max(len(row) for row in rows)
    page = Image.new("RGB", (columns * (width + gap) + gap, len(rows) * (height + head + gap) + gap), "white")
    draw = ImageDraw.Draw(page)
    for i, row in enumerate(rows):
        top = gap + i * (height + head + gap)
        if labels is not None:
            draw.text((gap, top), labels[i], fill=(40, 40, 40))
        for j, picture in enumerate(row):
            enlarged = picture.resize(
                (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC
            )
            page.paste(enlarged, (gap + j * (width + gap), top + head))
    return page
