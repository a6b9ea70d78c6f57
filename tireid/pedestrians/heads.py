"""Head, face, hair, headwear and what is worn on the face."""

from __future__ import annotations

from collections.abc import Sequence

from tireid.pedestrians.body import Body
from tireid.pedestrians.pen import Pen, Point, edge, shade
from tireid.pedestrians.people import HAIR_COLOURS, PALETTE, RGB, Person


def behind(pen: Pen, body: Body, person: Person) -> None:
    """Hair that falls behind the shoulders, seen from the front or the side."""
    if body.back or _covered(person):
        return
    colour, style, w, chin = HAIR_COLOURS[person.hair.colour], person.hair.type, body.head_width, body.chin
    if body.front and style == "long":
        pen.shape([(-w - 1, 5), (w + 1, 5), (w + 2.6, chin + 13), (-w - 2.6, chin + 13)], colour)
    elif body.front and style == "ponytail":
        pen.limb([(w * 0.5, 6), (w + 2.6, chin - 1), (w + 1.6, chin + 8)], (3, 3.6, 2), colour)


def neck(pen: Pen, body: Body) -> None:
    """The neck."""
    pen.box((-2.6, body.chin - 3, 2.6, body.shoulder + 0.4), shade(body.skin, 0.92), outline=False)


def _covered(person: Person) -> bool:
    return person.headwear is not None and person.headwear.type == "headscarf"


def head(pen: Pen, body: Body, person: Person) -> None:
    """Skull, face, hair."""
    w, chin = body.head_width, body.chin
    if body.side:
        pen.shape([(w - 0.6, chin * 0.45), (w + 1.5, chin * 0.64), (w - 0.4, chin * 0.7)], body.skin)
    pen.oval((-w, 0, w, chin), body.skin)
    if body.back:  # its hair is drawn last, by `over`, since it falls over the clothes
        return
    (_face if body.front else _profile)(pen, body, person)
    if not _covered(person) and person.hair.type != "bald":
        (_hair_front if body.front else _hair_side)(pen, body, person)


def _face(pen: Pen, body: Body, person: Person) -> None:
    w, chin, dark = body.head_width, body.chin, (40, 30, 30)
    eyes = chin * 0.52
    if person.beard:
        pen.shape([(-w * 0.9, chin * 0.62), (-w * 0.4, chin * 0.72), (w * 0.4, chin * 0.72), (w * 0.9, chin * 0.62),
                   (w * 0.6, chin * 0.98), (0, chin * 1.06), (-w * 0.6, chin * 0.98)],
                  HAIR_COLOURS[person.hair.colour])  # fmt: skip
    for d in (-1, 1):
        pen.oval((d * w * 0.42 - 0.65, eyes - 0.65, d * w * 0.42 + 0.65, eyes + 0.65), dark, outline=False)
        pen.line([(d * w * 0.25, eyes - 1.7), (d * w * 0.62, eyes - 1.7)], shade(body.skin, 0.55), 0.5)
    pen.line([(0, eyes + 0.6), (0, eyes + 2.0)], shade(body.skin, 0.78), 0.7)
    pen.line([(-1.5, chin * 0.8), (1.5, chin * 0.8)], (168, 70, 70), 0.8)


def _profile(pen: Pen, body: Body, person: Person) -> None:
    w, chin = body.head_width, body.chin
    eyes = chin * 0.5
    if person.beard:
        pen.shape([(-w * 0.1, chin * 0.6), (w * 0.5, chin * 0.72), (w * 0.98, chin * 0.74), (w * 0.9, chin * 1.04),
                   (w * 0.3, chin * 1.0)], HAIR_COLOURS[person.hair.colour])  # fmt: skip
    pen.oval((w * 0.5, eyes - 0.7, w * 0.5 + 1.3, eyes + 0.7), (40, 30, 30), outline=False)
    pen.line([(w * 0.5, chin * 0.82), (w * 0.92, chin * 0.82)], (168, 70, 70), 0.8)
    pen.oval((-w * 0.35, chin * 0.48, w * 0.05, chin * 0.68), shade(body.skin, 0.9))


def _hair_front(pen: Pen, body: Body, person: Person) -> None:
    style, colour = person.hair.type, HAIR_COLOURS[person.hair.colour]
    w, chin = body.head_width, body.chin
    top: list[Point] = [(-w * 0.78, chin * 0.24), (0, chin * 0.30), (w * 0.78, chin * 0.24)]
    bump = 2.6 if style == "curly" else 0.9
    low = {"short": 0.48, "curly": 0.62, "bun": 0.42, "ponytail": 0.45, "bob": 1.02, "long": 1.25}[style] * chin
    edge_x = w + bump
    pen.shape([(-w * 0.86, low), (-edge_x, low), (-edge_x, chin * 0.24), (-w * 0.72, -bump * 0.6), (0, -bump - 0.3),
               (w * 0.72, -bump * 0.6), (edge_x, chin * 0.24), (edge_x, low), (w * 0.86, low), *reversed(top)],
              colour)  # fmt: skip
    if style == "curly":
        crown = [(-w - 1.6, 3), (-w * 0.6, -1.8), (w * 0.6, -1.8), (w + 1.6, 3), (0, -2.4)]
        _curls(pen, [*crown, (-w - 1.5, 7), (w + 1.5, 7)], 2.2, colour)
    if style == "bun":
        pen.oval((-2.9, -4.8, 2.9, 0.8), colour)


def _curls(pen: Pen, places: Sequence[Point], radius: float, colour: RGB) -> None:
    for x, y in places:
        pen.oval((x - radius, y - radius, x + radius, y + radius), colour, outline=False)


def _back_of_head(pen: Pen, body: Body, person: Person) -> None:
    style, colour, w, chin = person.hair.type, HAIR_COLOURS[person.hair.colour], body.head_width, body.chin
    if style == "bald":
        return
    grow = 2.6 if style == "curly" else 0.8
    bottom = {"short": 0.82, "curly": 0.95, "bun": 0.8, "ponytail": 0.82, "bob": 1.08, "long": 1.0}[style] * chin
    pen.oval((-w - grow, -grow - 0.3, w + grow, bottom), colour)
    if style == "bob":
        pen.box((-w - 0.8, chin * 0.45, w + 0.8, chin * 1.06), colour, outline=False)
    elif style == "long":
        pen.shape([(-w - 0.9, chin * 0.4), (w + 0.9, chin * 0.4), (w + 1.4, chin + 15), (-w - 1.4, chin + 15)], colour)
        for x in (-3.0, 0.0, 3.0):
            pen.line([(x, chin * 0.7), (x * 1.2, chin + 14)], edge(colour), 0.5)
    elif style == "ponytail":
        pen.limb([(0, 5), (0, chin), (0.8, chin + 12)], (3.4, 4.6, 2.2), colour)
        pen.box((-1.8, 5, 1.8, 6.6), (190, 60, 90))
    elif style == "bun":
        pen.oval((-3.2, -3.6, 3.2, 3.4), colour)
    elif style == "curly":
        crown = [(-w - 1.4, 3), (w + 1.4, 3), (0, -2.4), (-w * 0.8, -1), (w * 0.8, -1)]
        _curls(pen, [*crown, (-w, 9), (w, 9)], 2.3, colour)


def _hair_side(pen: Pen, body: Body, person: Person) -> None:
    style, colour, w, chin = person.hair.type, HAIR_COLOURS[person.hair.colour], body.head_width, body.chin
    grow = 2.6 if style == "curly" else 0.8
    low = {"short": 0.62, "curly": 0.74, "bun": 0.6, "ponytail": 0.6, "bob": 1.04, "long": 1.0}[style] * chin
    pen.shape([(w * 0.86, chin * 0.26), (w * 0.6, -grow * 0.5), (0, -grow - 0.4), (-w * 0.7, -grow * 0.4),
               (-w - grow, chin * 0.32), (-w - grow * 0.7, low), (-w * 0.2, low), (w * 0.12, chin * 0.36)],
              colour)  # fmt: skip
    if style == "long":
        pen.shape(
            [(-w - 0.8, chin * 0.5), (-w * 0.05, chin * 0.5), (-w * 0.2, chin + 12), (-w - 2.4, chin + 12)], colour
        )
    elif style == "ponytail":
        pen.limb([(-w * 0.8, 4), (-w - 3.6, 8), (-w - 3.2, chin + 6)], (3, 4.2, 2), colour)
    elif style == "bun":
        pen.oval((-w - 2.4, -3.2, -w + 3.0, 2.6), colour)
    elif style == "curly":
        _curls(pen, [(-w - 1.6, 4), (-w * 0.6, -2), (w * 0.5, -1.6), (-w - 1, 9), (0, -2.4)], 2.3, colour)


def over(pen: Pen, body: Body, person: Person) -> None:
    """Hair of the back view, headwear, glasses, mask and headphones: all that covers the head."""
    if body.back and not _covered(person):
        _back_of_head(pen, body, person)
    if not body.back:
        _on_face(pen, body, person)
    if person.headwear:
        _headwear(pen, body, person.headwear.type, person.headwear.colour)
    phones = person.accessory("headphones")
    if phones:
        colour, w, chin = PALETTE[phones.colour], body.head_width, body.chin
        if body.side:
            pen.line([(-0.8, chin * 0.5), (-0.8, -1.6)], colour, 1.3)
            pen.oval((-3.0, chin * 0.4, 1.4, chin * 0.74), colour)
        else:
            pen.line(
                [(-w - 0.8, chin * 0.5), (-w * 0.8, 0), (0, -2.2), (w * 0.8, 0), (w + 0.8, chin * 0.5)], colour, 1.3
            )
            for d in (-1, 1):
                pen.oval((d * (w + 0.6) - 1.5, chin * 0.4, d * (w + 0.6) + 1.5, chin * 0.74), colour)


def _on_face(pen: Pen, body: Body, person: Person) -> None:
    w, chin = body.head_width, body.chin
    eyes = chin * 0.52
    mask = person.accessory("face mask")
    if mask:
        left = -w * 0.86 if body.front else w * 0.05
        right = w * 0.86 if body.front else w + 1.0
        pen.shape([(left, chin * 0.62), (right, chin * 0.62), (right * 0.86, chin), ((left + right) / 2, chin * 1.06),
                   (left * 0.86, chin)], PALETTE[mask.colour])  # fmt: skip
    shades, glasses = person.accessory("sunglasses"), person.accessory("glasses")
    if not (shades or glasses):
        return
    dark = (24, 24, 28)
    for x in (-w * 0.45, w * 0.45) if body.front else (w * 0.66,):
        if shades:
            pen.oval((x - 1.9, eyes - 1.5, x + 1.9, eyes + 1.7), dark, outline=False)
        else:
            pen.oval((x - 2.1, eyes - 1.9, x + 2.1, eyes + 2.0), dark, outline=False)
            pen.oval((x - 1.5, eyes - 1.3, x + 1.5, eyes + 1.4), (222, 236, 244), outline=False)
    ear = (-w, eyes - 0.6) if body.front else (-w * 0.1, eyes - 0.5)
    pen.line([ear, (w, eyes - 0.6)], dark, 0.8 if shades else 0.7)


def _headwear(pen: Pen, body: Body, kind: str, name: str) -> None:
    colour, w, chin = PALETTE[name], body.head_width, body.chin
    brow = chin * 0.32
    dome: list[Point] = [(-w - 0.8, brow), (-w - 0.6, brow * 0.3), (-w * 0.6, -1.8), (0, -2.6), (w * 0.6, -1.8),
                         (w + 0.6, brow * 0.3), (w + 0.8, brow)]  # fmt: skip
    if kind == "headscarf":
        _headscarf(pen, body, name)
        return
    if kind == "hat":
        pen.shape(dome, colour)
        pen.box((-w - 0.7, brow - 2.6, w + 0.7, brow - 0.6), shade(colour, 0.6), outline=False)
        pen.oval((-w * 2.2, brow - 1.6, w * 2.2, brow + 1.6), colour)
    elif kind == "cap":
        pen.shape(dome, colour)
        if body.side:
            pen.shape([(w * 0.2, brow - 1), (w + 5.6, brow + 0.4), (w + 5.4, brow + 1.8), (w * 0.2, brow + 0.8)],
                      shade(colour, 0.85))  # fmt: skip
        elif body.front:
            pen.oval((-w * 0.95, brow - 1.4, w * 0.95, brow + 2.2), shade(colour, 0.85))
        else:
            pen.oval((-1.8, brow - 2.2, 1.8, brow), shade(colour, 0.45), outline=False)
    elif kind == "beanie":
        pen.shape([(x * 1.04, y - 0.8 if y < 0 else y) for x, y in dome], colour)
        pen.box(
            (-w - 1.0, brow - 2.6, w + 1.0, brow + 0.9), shade(colour, 0.8) if sum(colour) > 150 else shade(colour, 1.2)
        )
    else:
        pen.shape([(x * 1.16, y - 1.6) for x, y in dome] + [(w * 1.2, brow + 1.6), (-w * 1.2, brow + 1.6)], colour)
        pen.line([(0, -4.0), (0, brow)], shade(colour, 1.6) if sum(colour) < 600 else shade(colour, 0.7), 1.4)


def _headscarf(pen: Pen, body: Body, name: str) -> None:
    colour, w, chin, y = PALETTE[name], body.head_width, body.chin, body.shoulder
    if body.back:
        pen.oval((-w - 1.2, -1.6, w + 1.2, chin + 2), colour)
        pen.shape([(-w - 0.6, chin * 0.7), (w + 0.6, chin * 0.7), (w + 3, y + 9), (-w - 3, y + 9)], colour)
        return
    inner = [(-w * 0.74, chin * 0.62), (-w * 0.7, chin * 0.32), (0, chin * 0.22), (w * 0.7, chin * 0.32),
             (w * 0.74, chin * 0.62), (w * 0.4, chin * 0.92), (-w * 0.4, chin * 0.92)]  # fmt: skip
    if body.side:
        pen.shape([(w * 0.7, chin * 0.2), (0, -1.6), (-w, 0.5), (-w - 1.4, chin * 0.5), (-w - 1.8, y + 7), (w, y + 6),
                   (w * 0.75, chin * 0.95), (w * 0.2, chin * 0.6)], colour)  # fmt: skip
        return
    # A ring around the face: the two halves of the scarf, then the drape under the chin.
    outer = [(0.0, -1.8), (w * 0.8, -0.6), (w + 1.3, chin * 0.4), (w + 1.2, chin + 2), (0.0, chin + 3)]
    rim = [(0.0, chin * 0.92), (w * 0.4, chin * 0.92), (w * 0.74, chin * 0.62), (w * 0.7, chin * 0.32)]
    for d in (-1, 1):
        pen.shape([(d * x, yy) for x, yy in (*outer, *rim, (0.0, chin * 0.22))], colour, outline=False)
    pen.line([*inner, inner[0]], edge(colour), 0.5)
    drape = [(-w - 1, chin), (0, chin * 0.96), (w + 1, chin), (w + 2.6, y + 6), (0, y + 10), (-w - 2.6, y + 6)]
    pen.shape(drape, colour)
