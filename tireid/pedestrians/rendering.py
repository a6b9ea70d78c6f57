"""From a person and conditions to a picture, and to what of the person remains visible in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from tireid.pedestrians import scenes
from tireid.pedestrians.body import Pose, pose_body
from tireid.pedestrians.cameras import Conditions
from tireid.pedestrians.figures import draw_person
from tireid.pedestrians.pen import Box, Pen
from tireid.pedestrians.people import VIEWS, Person
from tireid.pedestrians.sampling import sample_person

SUPERSAMPLING = 3
"""Linear factor at which a figure is drawn before it is averaged down."""

Floats = NDArray[np.float32]


def render(person: Person, conditions: Conditions, size: tuple[int, int] = (192, 64)) -> Image.Image:
    """The RGB picture of `person`, `size` is (height, width) in pixels; JPEG loss is left to who saves it.

    The same arguments give the same pixels.

    >>> from tireid.pedestrians import sample_conditions, sample_person
    >>> rng = np.random.default_rng(0)
    >>> render(sample_person(rng), sample_conditions(rng, "street", camera=1)).size
    (64, 192)
    """
    rng = np.random.default_rng(conditions.seed)
    return _degrade(draw_scene(person, conditions, size, rng).reduce(SUPERSAMPLING), conditions, rng)


def draw_scene(person: Person, conditions: Conditions, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """What is before the camera, at `SUPERSAMPLING` times the `size` (height, width)."""
    height, width = size
    canvas = scenes.background(conditions.scene, (width * SUPERSAMPLING, height * SUPERSAMPLING), rng)
    if conditions.clutter:
        _bystander(canvas, rng)
    pen = _pen(canvas, person, conditions)
    _shadow(canvas, pen)
    draw_person(pen, person, conditions.view, conditions.pose)
    if conditions.occluder == "passer":
        _passer(canvas, conditions, rng)
    elif conditions.occluder:
        scenes.occlude(canvas, conditions.occluder, conditions.occluder_at, conditions.occluder_size, rng)
    return canvas


def _pen(canvas: Image.Image, person: Person, conditions: Conditions) -> Pen:
    """The pen that puts `person` where `conditions` say."""
    above = 18.0 if person.accessory("umbrella") else 2.5
    unit = conditions.scale / (100 + above)
    top = (1 - conditions.scale) / 2 + above * unit + conditions.shift[1]
    mirrored = conditions.view == "left" or (conditions.view in ("front", "back") and conditions.mirror)
    return Pen(
        canvas,
        origin=((0.5 + conditions.shift[0]) * canvas.width, top * canvas.height),
        unit=unit * canvas.height,
        mirror=-1 if mirrored else 1,
        pitch=conditions.pitch,
        lean=conditions.lean * canvas.height / 192,
    )


def _shadow(canvas: Image.Image, pen: Pen) -> None:
    shadow = Image.new("L", canvas.size, 255)
    ImageDraw.Draw(shadow).ellipse(_pixels(pen, (-13, 97.5, 13, 102.5)), fill=150)
    dark = Image.new("RGB", canvas.size, (40, 40, 46))
    canvas.paste(dark, mask=shadow.point([(255 - value) * 2 // 3 for value in range(256)]))


def _bystander(canvas: Image.Image, rng: np.random.Generator) -> None:
    """Another, smaller person farther away."""
    unit = float(rng.uniform(0.4, 0.62)) * canvas.height / 100
    x = float(rng.choice([0.1, 0.9]) + rng.uniform(-0.12, 0.12)) * canvas.width
    pen = Pen(canvas, (x, float(rng.uniform(0.08, 0.28)) * canvas.height), unit, mirror=1)
    draw_person(pen, sample_person(rng), VIEWS[int(rng.integers(4))], Pose(float(rng.uniform(-1, 1)), 0.0))


def _passer(canvas: Image.Image, conditions: Conditions, rng: np.random.Generator) -> None:
    """Somebody nearer, mostly outside the picture."""
    sign = -1 if conditions.occluder_at < 0 else 1
    x = (0.5 + sign * (0.62 - 0.14 * conditions.occluder_size)) * canvas.width
    pen = Pen(canvas, (x, 0.02 * canvas.height), canvas.height * 1.04 / 100)
    person = replace(sample_person(rng), accessories=(), bag=None)
    draw_person(pen, person, VIEWS[int(rng.integers(4))], Pose(float(rng.uniform(-0.5, 0.5)), 0.0))


def _degrade(picture: Image.Image, conditions: Conditions, rng: np.random.Generator) -> Image.Image:
    """Optics, sensor and light: blur, resolution, motion, then gains, contrast and noise."""
    width, height = picture.size
    if conditions.blur > 0.05:
        picture = picture.filter(ImageFilter.GaussianBlur(conditions.blur * height / 192))
    if conditions.resolution < 1:
        small = (max(4, round(width * conditions.resolution)), max(12, round(height * conditions.resolution)))
        picture = picture.resize(small, Image.Resampling.BOX).resize((width, height), Image.Resampling.BILINEAR)
    pixels: Floats = np.asarray(picture, dtype=np.float32)
    if conditions.motion:
        pixels = _motion(pixels, conditions.motion)
    side = 1 + conditions.side_light * np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    pixels = pixels * (np.asarray(conditions.cast, dtype=np.float32) * np.float32(conditions.light)) * side
    pixels = (pixels - 118) * np.float32(conditions.contrast) + 118
    if conditions.noise > 0:
        pixels = pixels + rng.standard_normal((height, width, 1), dtype=np.float32) * np.float32(conditions.noise)
        pixels = pixels + rng.standard_normal(pixels.shape, dtype=np.float32) * np.float32(conditions.noise * 0.5)
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def _motion(pixels: Floats, length: int) -> Floats:
    padded = np.pad(pixels, ((0, 0), (length // 2, length - 1 - length // 2), (0, 0)), mode="edge")
    width = pixels.shape[1]
    total = padded[:, :width].copy()
    for i in range(1, length):
        total += padded[:, i : i + width]
    return total / np.float32(length)


PARTS: dict[str, Box] = {
    "headwear": (-5, -2, 5, 5),
    "hair": (-5, -1, 5, 9),
    "glasses": (-4, 6, 4, 9),
    "sunglasses": (-4, 6, 4, 9),
    "face mask": (-4, 8, 4, 14),
    "beard": (-4, 9, 4, 14),
    "headphones": (-6, -2, 6, 10),
    "umbrella": (-17, -15, 17, -5),
    "scarf": (-5, 12, 5, 20),
    "tie": (-2, 17, 2, 34),
    "upper": (-9, 18, 9, 50),
    "belt": (-8, 43, 8, 47),
    "lower": (-8, 52, 8, 92),
    "shoes": (-7, 94, 7, 100),
}
"""Where a part lies, (left, top, right, bottom) in body units; what is held lies at the hands."""
BAGS: dict[str, Box] = {"backpack": (-8, 19, 8, 44), "suitcase": (-6, 68, 6, 97)}


def hidden_parts(person: Person, conditions: Conditions) -> tuple[str, ...]:
    """Parts of which an occluder or the edge of the picture leaves less than half.

    >>> from tireid.pedestrians import sample_conditions, sample_person
    >>> rng = np.random.default_rng(0)
    >>> hidden_parts(sample_person(rng), sample_conditions(rng, "street", camera=3))
    ()
    """
    canvas = Image.new("RGB", (64, 192))
    pen = _pen(canvas, person, conditions)
    body = pose_body(person, conditions.view, conditions.pose)
    (x, y), (held_x, held_y) = body.hands
    parts = PARTS | dict.fromkeys(("phone", "cup"), (held_x - 2, held_y - 5, held_x + 2, held_y + 1))
    if person.bag:
        at_hand = (x - 5, y + 5, x + 5, y + 16)
        left, top, right, bottom = BAGS.get(person.bag.type, at_hand)
        offset = x if person.bag.type == "suitcase" else 0
        parts["bag"] = (left + offset, top, right + offset, bottom)
        if person.bag.type == "shoulder bag":
            middle = 0.0 if body.side else body.shoulder_width - 1.5
            parts["bag"] = (middle - 5, body.hip - 8, middle + 5, body.hip + 3)
    cover = None
    if conditions.occluder and conditions.occluder != "railing":
        cover = scenes.occluder_box(conditions.occluder, conditions.occluder_at, conditions.occluder_size)
        cover = (cover[0] * canvas.width, cover[1] * canvas.height, cover[2] * canvas.width, cover[3] * canvas.height)
    frame = (0.0, 0.0, float(canvas.width), float(canvas.height))
    hidden = []
    for part, box in parts.items():
        place = _pixels(pen, box)
        shown = _overlap(place, frame) - (_overlap(place, cover) if cover else 0.0)
        if shown < 0.5 * _overlap(place, place):
            hidden.append(part)
    return tuple(hidden)


def _pixels(pen: Pen, box: Box) -> Box:
    (x0, y0), (x1, y1) = pen.at(box[:2]), pen.at(box[2:])
    return (min(x0, x1), y0, max(x0, x1), y1)


def _overlap(one: Box, other: Box) -> float:
    """Area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    return max(0.0, width) * max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
