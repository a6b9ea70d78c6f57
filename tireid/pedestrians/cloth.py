"""What clothes are cut from: patterned cloth, and outlines that are alike on both sides."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from tireid.pedestrians.pen import Paint, Pen, Point
from tireid.pedestrians.people import RGB


def cloth(pen: Pen, pattern: str, colour: RGB, second: RGB, top: float, bottom: float) -> Paint:
    """The paint of a patterned garment that spans `top` to `bottom` in body units."""
    if pattern not in ("striped", "checked", "dotted", "colour-block"):
        return Paint(colour)
    picture = Image.new("RGB", pen.image.size, colour)
    draw = ImageDraw.Draw(picture)
    width, unit = picture.width, pen.unit
    y0, y1 = pen.at((0, top - 8))[1], pen.at((0, bottom))[1]
    if pattern == "colour-block":
        draw.rectangle((0, 0, width, pen.at((0, top + 0.42 * (min(bottom, 56) - top)))[1]), fill=second)
        return Paint(colour, picture)
    step, x0 = {"striped": 5.0, "checked": 6.2, "dotted": 5.0}[pattern] * unit, pen.origin[0] % (6 * unit)
    rows = [y0 + i * step for i in range(int((y1 - y0) / step) + 1)]
    columns = [x0 + (i - 1) * step for i in range(int(width / step) + 3)]
    if pattern == "striped":
        for y in rows:
            draw.rectangle((0, y, width, y + 0.42 * step), fill=second)
    elif pattern == "checked":
        blend = ((colour[0] + second[0]) // 2, (colour[1] + second[1]) // 2, (colour[2] + second[2]) // 2)
        for y in rows:
            draw.rectangle((0, y, width, y + 0.36 * step), fill=blend)
        for x in columns:
            draw.rectangle((x, y0, x + 0.36 * step, y1), fill=blend)
        for y in rows:
            for x in columns:
                draw.rectangle((x, y, x + 0.36 * step, y + 0.36 * step), fill=second)
    else:
        radius = 0.24 * step
        for i, y in enumerate(rows):
            for x in columns:
                cx = x + (i % 2) * step / 2
                draw.ellipse((cx - radius, y - radius, cx + radius, y + radius), fill=second)
    return Paint(colour, picture)


def both_sides(half: Sequence[Point]) -> list[Point]:
    """A symmetric outline from its right half."""
    return [*half, *[(-x, y) for x, y in reversed(half)]]
