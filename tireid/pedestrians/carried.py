"""Bags, umbrellas, phones, cups and scarves."""

from __future__ import annotations

from tireid.pedestrians.body import Body
from tireid.pedestrians.pen import Box, Pen, edge, shade
from tireid.pedestrians.people import PALETTE, RGB, Person


def scarf(pen: Pen, body: Body, person: Person) -> None:
    """A scarf around the neck, with its ends hanging in front."""
    item = person.accessory("scarf")
    if not item:
        return
    colour, y, w = PALETTE[item.colour], body.shoulder, 4.4 if body.side else 5.6
    if body.front:
        pen.shape([(1.0, y), (4.6, y), (5.2, y + 16), (1.4, y + 16)], shade(colour, 0.9))
    elif body.side:
        pen.shape([(3.0, y), (5.6, y), (6.8, y + 14), (4.0, y + 14)], shade(colour, 0.9))
    pen.oval((-w, body.chin - 2.2, w, y + 2.8), colour)


def bag_behind(pen: Pen, body: Body, person: Person) -> None:
    """A backpack as far as it shows behind the body."""
    if not person.bag or person.bag.type != "backpack":
        return
    colour, y = PALETTE[person.bag.colour], body.shoulder
    if body.side:
        back = -body.shoulder_width
        pen.shape(
            [(back + 2, y + 1), (back - 5, y + 2.5), (back - 7.6, y + 8), (back - 7.6, y + 24), (back + 3, y + 26)],
            colour,
        )
        pen.shape(
            [(back - 7.6, y + 14), (back - 9.2, y + 15), (back - 9.2, y + 23), (back - 7.6, y + 24)],
            shade(colour, 0.85),
        )
    elif body.front:
        for d in (-1, 1):
            w = body.shoulder_width
            pen.shape([(d * (w - 3), y - 0.6), (d * (w - 3), y - 3.2), (0, y - 3.6), (0, y)], colour)


def bag_over(pen: Pen, body: Body, person: Person) -> None:
    """What a bag shows in front of the torso: straps, the bag at the hip, or a backpack seen from behind."""
    if not person.bag:
        return
    colour, y, s = PALETTE[person.bag.colour], body.shoulder, body.shoulder_width
    if person.bag.type == "backpack":
        if body.back:
            _backpack(pen, body, colour)
        elif body.front:
            for d in (-1, 1):
                x = d * s * 0.62
                pen.limb([(x * 0.92, y - 1.2), (x, y + 10), (x * 1.16, y + 19)], (2.6, 2.6, 2.2), colour)
        else:
            pen.limb([(0.6, y - 1), (3.4, y + 6), (0, y + 17)], (2.4, 2.4, 2.2), colour)
    elif person.bag.type == "shoulder bag":
        hip = body.hip
        if body.side:
            pen.limb([(0.5, y - 0.6), (-1.5, hip - 6)], (1.5, 1.5), colour)
            _pouch(pen, (-7.5, hip - 8, 4.5, hip + 3), colour)
        else:
            x = s + 0.5
            pen.limb([(-s * 0.66, y - 0.8), (x - 3, hip - 8)], (1.6, 1.6), colour)
            _pouch(pen, (x - 7.5, hip - 8, x + 3.5, hip + 3), colour)


def _backpack(pen: Pen, body: Body, colour: RGB) -> None:
    y, w = body.shoulder, body.shoulder_width * 0.74
    pen.shape([(-w * 0.7, y + 0.4), (w * 0.7, y + 0.4), (w, y + 4), (w, y + 25), (w * 0.8, y + 27), (-w * 0.8, y + 27),
               (-w, y + 25), (-w, y + 4)], colour)  # fmt: skip
    pen.shape([(-w * 0.74, y + 14), (w * 0.74, y + 14), (w * 0.74, y + 25), (-w * 0.74, y + 25)], shade(colour, 0.88))
    pen.line([(-w * 0.74, y + 16.4), (w * 0.74, y + 16.4)], edge(colour), 0.7)
    pen.line([(-1.6, y + 0.4), (-1.6, y - 1.6), (1.6, y - 1.6), (1.6, y + 0.4)], edge(colour), 0.8)


def _pouch(pen: Pen, box: Box, colour: RGB) -> None:
    x0, y0, x1, _ = box
    pen.box(box, colour)
    pen.shape([(x0, y0), (x1, y0), (x1, y0 + 4), ((x0 + x1) / 2, y0 + 5.4), (x0, y0 + 4)], shade(colour, 0.84))


def in_hand(pen: Pen, body: Body, person: Person) -> None:
    """Bags that hang from the lowered hand, and a suitcase."""
    if not person.bag or person.bag.type in ("backpack", "shoulder bag"):
        return
    colour, kind = PALETTE[person.bag.colour], person.bag.type
    # In a side view the near hand is lowered, unless it holds something.
    x, y = body.hands[1] if body.side and not person.hand_raised else body.hands[0]
    if kind == "suitcase":
        x += 1.6 if not body.side else -5
        pen.line([(x - 2, y + 1), (x - 2, 72)], (120, 122, 126), 0.9)
        pen.line([(x + 2, y + 1), (x + 2, 72)], (120, 122, 126), 0.9)
        pen.box((x - 5.4, 68, x + 5.4, 97), colour)
        for i in (-2.4, 0, 2.4):
            pen.line([(x + i, 70), (x + i, 95)], edge(colour), 0.5)
        for i in (-3.6, 3.6):
            pen.oval((x + i - 1.4, 96.4, x + i + 1.4, 99.4), (40, 40, 44))
        return
    half, top, deep = {"handbag": (5.4, 5.0, 9.0), "tote bag": (5.6, 7.0, 15.0), "shopping bag": (5.2, 5.0, 14.0)}[kind]
    grip = edge(colour)
    pen.line([(x - half * 0.5, y + top), (x - 0.8, y + 0.4), (x + 0.8, y + 0.4), (x + half * 0.5, y + top)], grip, 1.0)
    narrow = 0.78 if kind == "handbag" else 1.0
    pen.shape([(x - half * narrow, y + top), (x + half * narrow, y + top), (x + half, y + top + deep),
               (x - half, y + top + deep)], colour)  # fmt: skip
    if kind == "handbag":
        pen.oval((x - 0.9, y + top + 1, x + 0.9, y + top + 2.8), (214, 190, 110))
    elif kind == "shopping bag":
        pen.oval((x - 2.2, y + top + 4, x + 2.2, y + top + 9), shade(colour, 0.6), outline=False)
    else:
        pen.line([(x - half, y + top + 2.4), (x + half, y + top + 2.4)], grip, 0.5)


def held(pen: Pen, body: Body, person: Person) -> None:
    """What the raised hand holds."""
    x, y = body.hands[1]
    phone, cup, umbrella = (person.accessory(kind) for kind in ("phone", "cup", "umbrella"))
    if phone and not body.back:
        pen.box((x - 1.7, y - 5.6, x + 1.7, y + 0.6), (22, 22, 26))
        pen.box((x - 1.1, y - 4.9, x + 1.1, y - 0.3), (120, 190, 230), outline=False)
    if cup and not body.back:
        colour = PALETTE[cup.colour]
        pen.shape([(x - 2.4, y - 5.4), (x + 2.4, y - 5.4), (x + 1.8, y + 1.2), (x - 1.8, y + 1.2)], colour)
        pen.box((x - 2.6, y - 6.4, x + 2.6, y - 5.2), (60, 50, 46))
    if umbrella:
        _umbrella(pen, body, PALETTE[umbrella.colour], x, y)


def _umbrella(pen: Pen, body: Body, colour: RGB, x: float, y: float) -> None:
    top, rim, centre = -17.0, -5.0, x * 0.5
    pen.line([(x, y + 2), (centre, top - 1.5)], (70, 70, 74), 0.9)
    ribs = [(-18.0, rim), (-15.5, -11.0), (-9.0, -15.6), (0, top), (9.0, -15.6), (15.5, -11.0), (18.0, rim)]
    scallops = [(12.0, rim + 1.4), (6.0, rim - 0.4), (0, rim + 1.4), (-6.0, rim - 0.4), (-12.0, rim + 1.4)]
    pen.shape([(centre + px, py) for px, py in [*ribs, *scallops]], colour)
    for px in (-6.0, 6.0):
        pen.line([(centre, top), (centre + px, rim - 0.2)], edge(colour), 0.6)
