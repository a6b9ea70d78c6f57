"""Places behind a person, and things before one. All sizes are shares of the picture, all choices the generator's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tireid.pedestrians.pen import Box, shade
from tireid.pedestrians.people import RGB, SCENERY

Draw = ImageDraw.ImageDraw
WIDTH, HEIGHT = 64, 192
"""In which a background is drawn, before it is enlarged."""


def background(scene: str, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """An RGB picture of `scene` with `size` (width, height) in pixels.

    Raises ValueError for an unknown scene.
    """
    if scene not in SCENES:
        raise ValueError(f"unknown scene {scene!r}; one of {', '.join(SCENES)}")
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    SCENES[scene](ImageDraw.Draw(picture), rng)
    if scene != "studio":
        picture = picture.filter(ImageFilter.GaussianBlur(0.8))
    return picture.resize(size, Image.Resampling.BILINEAR)


def _vary(colour: RGB, rng: np.random.Generator, amount: float = 0.12) -> RGB:
    return shade(colour, float(np.clip(1 + rng.normal(0, amount), 0.5, 1.5)))


def _one(rng: np.random.Generator, colours: list[RGB]) -> RGB:
    return colours[int(rng.integers(len(colours)))]


def _ground(draw: Draw, rng: np.random.Generator, wall: RGB, floor: RGB) -> int:
    """Wall above floor; the height of the line between them."""
    line = int(HEIGHT * rng.uniform(0.52, 0.8))
    draw.rectangle((0, 0, WIDTH, line), fill=_vary(wall, rng))
    draw.rectangle((0, line, WIDTH, HEIGHT), fill=_vary(floor, rng))
    return line


def _studio(draw: Draw, rng: np.random.Generator) -> None:
    wall = _one(rng, SCENERY["studio walls"])
    draw.rectangle((0, 0, WIDTH, HEIGHT), fill=wall)
    for y in range(int(HEIGHT * 0.84), HEIGHT):
        draw.line((0, y, WIDTH, y), fill=shade(wall, 0.9 + 0.04 * (y / HEIGHT - 0.84) / 0.16))


def _windows(draw: Draw, rng: np.random.Generator, bottom: int, glass: RGB) -> None:
    columns, step = int(rng.integers(2, 4)), int(rng.integers(24, 40))
    start = int(rng.integers(-10, 6))
    for y in range(start, bottom - 12, step):
        for i in range(columns):
            x = int((i + 0.2) * WIDTH / columns)
            draw.rectangle((x, y, x + int(0.6 * WIDTH / columns), y + int(step * 0.62)), fill=_vary(glass, rng, 0.2))


def _car(draw: Draw, rng: np.random.Generator, x: int, y: int, length: int) -> None:
    colour = _one(rng, SCENERY["cars"])
    tall = length // 3
    roof = [(0.18, 1.0), (0.3, 1.8), (0.72, 1.8), (0.84, 1.0)]
    draw.polygon([(x + length * along, y - tall * up) for along, up in roof], fill=(120, 140, 156))
    draw.rectangle((x, y - tall, x + length, y), fill=colour)
    for share in (0.2, 0.78):
        cx = x + share * length
        draw.ellipse((cx - tall * 0.36, y - tall * 0.36, cx + tall * 0.36, y + tall * 0.36), fill=(24, 24, 26))


def _street(draw: Draw, rng: np.random.Generator) -> None:
    line = _ground(draw, rng, (150, 128, 112), (120, 120, 124))
    _windows(draw, rng, line, (92, 108, 124))
    draw.rectangle((0, line, WIDTH, line + 8), fill=(168, 166, 160))
    if rng.random() < 0.5:
        _car(draw, rng, int(rng.integers(-40, 30)), line + 16, 70)


def _station(draw: Draw, rng: np.random.Generator) -> None:
    line = _ground(draw, rng, (196, 188, 170), (150, 144, 134))
    for y in range(int(rng.integers(8)), line, 12):
        draw.line((0, y, WIDTH, y), fill=(176, 168, 150))
    x = int(rng.integers(0, WIDTH))
    draw.rectangle((x, 0, x + 12, line + 10), fill=_vary((140, 136, 128), rng))
    draw.rectangle((0, int(line * 0.3), WIDTH, int(line * 0.3) + 10), fill=_vary((40, 80, 150), rng, 0.3))
    draw.rectangle((0, line + 20, WIDTH, line + 24), fill=(214, 188, 60))


def _plaza(draw: Draw, rng: np.random.Generator) -> None:
    draw.rectangle((0, 0, WIDTH, HEIGHT), fill=_vary((172, 170, 164), rng))
    step = int(rng.integers(16, 28))
    shift = int(rng.integers(step))
    for y in range(shift, HEIGHT, step):
        draw.line((0, y, WIDTH, y - 6), fill=(148, 146, 142))
    for x in range(shift - step, WIDTH + step, step):
        draw.line((x, 0, x + 8, HEIGHT), fill=(150, 148, 144))
    if rng.random() < 0.5:
        draw.ellipse((-20, 30, 20, 60), fill=_vary((86, 116, 70), rng))


def _park(draw: Draw, rng: np.random.Generator) -> None:
    line = _ground(draw, rng, (158, 186, 200), (112, 140, 78))
    for _ in range(5):
        x, y, r = int(rng.integers(WIDTH)), int(rng.integers(0, line)), int(rng.integers(10, 24))
        draw.ellipse((x - r, y - r, x + r, y + r), fill=_vary((70, 108, 58), rng, 0.2))
    x = int(rng.integers(WIDTH))
    draw.rectangle((x - 4, line // 3, x + 4, line + 4), fill=(92, 72, 54))
    draw.polygon([(WIDTH * 0.3, line), (WIDTH * 0.7, line), (WIDTH * 1.1, HEIGHT), (-6, HEIGHT)], fill=(176, 164, 142))


def _corridor(draw: Draw, rng: np.random.Generator) -> None:
    line = _ground(draw, rng, (212, 210, 200), (168, 160, 150))
    x = int(rng.integers(-8, WIDTH - 10))
    draw.rectangle((x, int(line * 0.25), x + 26, line), fill=_vary((128, 98, 70), rng))
    draw.rectangle((0, line - 8, WIDTH, line), fill=(150, 146, 138))
    for y in range(line + 10, HEIGHT, 18):
        draw.line((0, y, WIDTH, y), fill=(150, 142, 134))
    draw.rectangle((int(rng.integers(WIDTH)), 4, WIDTH, 14), fill=(248, 248, 236))


def _shop(draw: Draw, rng: np.random.Generator) -> None:
    line = _ground(draw, rng, (110, 92, 84), (146, 136, 126))
    draw.rectangle((4, 36, WIDTH - 4, line - 4), fill=_vary((180, 176, 150), rng))
    goods = SCENERY["goods"]
    for y in range(50, line - 14, 18):
        for x in range(6, WIDTH - 8, 10):
            draw.rectangle((x, y, x + 7, y + 12), fill=_vary(_one(rng, goods), rng))
    draw.rectangle((0, 10, WIDTH, 32), fill=_vary(_one(rng, goods), rng))


def _parking(draw: Draw, rng: np.random.Generator) -> None:
    line = _ground(draw, rng, (116, 118, 122), (96, 96, 100))
    for x in range(int(rng.integers(20)), WIDTH + 20, 22):
        draw.line((x, line, x - 14, HEIGHT), fill=(196, 196, 190), width=2)
    for y in (line + 4, line + 30):
        _car(draw, rng, int(rng.integers(-50, 40)), y, 76)


def _crossing(draw: Draw, rng: np.random.Generator) -> None:
    line = _ground(draw, rng, (172, 178, 186), (92, 92, 96))
    _windows(draw, rng, int(line * 0.7), (120, 130, 146))
    for y in range(line + 6, HEIGHT, 16):
        draw.polygon([(-4, y), (WIDTH + 4, y - 4), (WIDTH + 4, y + 3), (-4, y + 8)], fill=(216, 216, 210))
    if rng.random() < 0.4:
        _car(draw, rng, int(rng.integers(-40, 30)), line + 6, 72)


SCENES: dict[str, Callable[[Draw, np.random.Generator], None]] = {
    draw.__name__.removeprefix("_"): draw
    for draw in (_studio, _street, _station, _plaza, _park, _corridor, _shop, _parking, _crossing)
}


def occluder_box(kind: str, at: float, size: float) -> Box:
    """What an occluder covers, (left, top, right, bottom) in shares of the picture; see :class:`Conditions`."""
    if kind == "pole":
        middle, half = 0.5 + 0.42 * at, 0.05 + 0.05 * size
        return (middle - half, 0.0, middle + half, 1.0)
    if kind in ("car", "bush"):
        return (0.0, 0.9 - 0.3 * size, 1.0, 1.0)
    if kind == "railing":
        return (0.0, 0.58, 1.0, 0.94)
    wide = 0.14 + 0.16 * size if kind == "border" else 0.21 + 0.14 * size
    return (0.0, 0.0, wide, 1.0) if at < 0 else (1.0 - wide, 0.0, 1.0, 1.0)


def occlude(picture: Image.Image, kind: str, at: float, size: float, rng: np.random.Generator) -> None:
    """Draw a pole, car, bush, railing or border over `picture` in place (a passer-by is drawn by the renderer)."""
    draw, (width, height) = ImageDraw.Draw(picture), picture.size
    x0, y0, x1, y1 = occluder_box(kind, at, size)
    left, top, right, bottom = x0 * width, y0 * height, x1 * width, y1 * height
    if kind == "pole":
        colour = _vary((120, 122, 126), rng, 0.25)
        draw.rectangle((left, top, right, bottom), fill=colour)
        draw.rectangle((left, top, left + 0.3 * (right - left), bottom), fill=shade(colour, 1.25))
    elif kind == "car":
        colour = _one(rng, SCENERY["near cars"])
        draw.rounded_rectangle((-0.2 * width, top, 1.2 * width, height * 1.1), radius=int(0.05 * height), fill=colour)
        draw.rectangle((0, top + 0.3 * (bottom - top), width, top + 0.36 * (bottom - top)), fill=shade(colour, 0.7))
    elif kind == "bush":
        for _ in range(26):
            x, y = float(rng.uniform(0, width)), float(rng.uniform(top, bottom))
            r = float(rng.uniform(0.05, 0.1)) * height * 0.5
            draw.ellipse((x - r, y, x + r, y + 2 * r), fill=_vary((62, 98, 52), rng, 0.2))
        draw.rectangle((0, min(top + 0.12 * height, bottom), width, bottom), fill=(58, 90, 50))
    elif kind == "railing":
        for i in range(3):
            y = top + i * (bottom - top) / 2.2
            draw.rectangle((0, y, width, y + 0.014 * height), fill=(150, 152, 156))
        for i in range(4):
            x = (i + 0.3 + 0.3 * at) * width / 3.4
            draw.rectangle((x, top, x + 0.03 * width, bottom), fill=(140, 142, 146))
    else:
        draw.rectangle((left, top, right, bottom), fill=_vary((96, 92, 88), rng, 0.35))
