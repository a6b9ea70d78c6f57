"""A pen that draws in the units of a body: x = 0 is its axis, y = 0 the top of its head, y = 100 its soles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from tireid.pedestrians.people import RGB

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


class Paint(NamedTuple):
    """A colour, and for a patterned cloth a picture of the whole canvas to copy from."""

    colour: RGB
    cloth: Image.Image | None = None


def shade(colour: RGB, factor: float) -> RGB:
    """`colour` made darker (factor < 1) or, towards white, lighter (factor > 1)."""
    if factor <= 1:
        return (int(colour[0] * factor), int(colour[1] * factor), int(colour[2] * factor))
    share = factor - 1
    return (
        int(colour[0] + (255 - colour[0]) * share),
        int(colour[1] + (255 - colour[1]) * share),
        int(colour[2] + (255 - colour[2]) * share),
    )


def edge(colour: RGB) -> RGB:
    """The colour of an outline: darker, but lighter on something nearly black."""
    return shade(colour, 0.66) if sum(colour) > 150 else shade(colour, 1.16)


def between(start: Point, end: Point, share: float) -> Point:
    """The point that lies `share` of the way from `start` to `end`."""
    return (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]))


class Pen:
    """Draws on `image` (RGB, pixels), mapping body units to pixels.

    `origin` is the pixel of the top of the head, `unit` pixels per body unit, `mirror` is -1 to swap left and right,
    `pitch` how far the camera looks down (0 level, 0.25 steep: large heads, short legs), `lean` pixels per unit.
    """

    def __init__(
        self, image: Image.Image, origin: Point, unit: float, mirror: int = 1, pitch: float = 0.0, lean: float = 0.0
    ) -> None:
        self.image = image
        self.draw = ImageDraw.Draw(image)
        self.origin, self.unit, self.mirror, self.pitch, self.lean = origin, unit, mirror, pitch, lean

    def at(self, point: Point) -> Point:
        """Pixel position of a point in body units."""
        x, y = point
        t = y / 100
        width = self.unit * (1 + 0.8 * self.pitch * (0.5 - t))
        down = 100 * self.unit * (t + self.pitch * t * (1 - t))
        return (self.origin[0] + self.mirror * x * width + self.lean * (50 - y), self.origin[1] + down)

    def shape(self, points: Sequence[Point], paint: Paint | RGB, outline: bool = True) -> None:
        """A filled polygon."""
        pixels = [self.at(point) for point in points]
        colour, cloth = paint if isinstance(paint, Paint) else (paint, None)
        if cloth is None:
            self.draw.polygon(pixels, fill=colour)
        else:
            self._paste(pixels, cloth)
        if outline:
            self.draw.line([*pixels, pixels[0]], fill=edge(colour), width=2)

    def _paste(self, pixels: Sequence[Point], cloth: Image.Image) -> None:
        left, top = max(0, int(min(x for x, _ in pixels))), max(0, int(min(y for _, y in pixels)))
        right = min(self.image.width, int(max(x for x, _ in pixels)) + 2)
        bottom = min(self.image.height, int(max(y for _, y in pixels)) + 2)
        if right <= left or bottom <= top:
            return
        mask = Image.new("1", (right - left, bottom - top))
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in pixels], fill=1)
        self.image.paste(cloth.crop((left, top, right, bottom)), (left, top), mask)

    def oval(self, box: Box, paint: Paint | RGB, outline: bool = True) -> None:
        """An ellipse in the box."""
        x, y, a, b = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
        self.shape([(x + a * cos, y + b * sin) for cos, sin in _CIRCLE], paint, outline)

    def box(self, box: Box, paint: Paint | RGB, outline: bool = True) -> None:
        """A rectangle."""
        x0, y0, x1, y1 = box
        self.shape([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], paint, outline)

    def limb(self, joints: Sequence[Point], widths: Sequence[float], paint: Paint | RGB) -> None:
        """A bent tube through `joints`, as wide as `widths` at each."""
        left: list[Point] = []
        right: list[Point] = []
        for i, (x, y) in enumerate(joints):
            before, after = joints[max(i - 1, 0)], joints[min(i + 1, len(joints) - 1)]
            dx, dy = after[0] - before[0], after[1] - before[1]
            length = math.hypot(dx, dy) or 1.0
            nx, ny = -dy / length * widths[i] / 2, dx / length * widths[i] / 2
            left.append((x + nx, y + ny))
            right.append((x - nx, y - ny))
        self.shape([*left, *reversed(right)], paint)

    def line(self, points: Sequence[Point], colour: RGB, width: float = 0.6) -> None:
        """An open line, `width` in body units."""
        pixels = max(1, round(width * self.unit))
        self.draw.line([self.at(point) for point in points], fill=colour, width=pixels, joint="curve")


_CIRCLE = [(math.cos(2 * math.pi * i / 22), math.sin(2 * math.pi * i / 22)) for i in range(22)]
