"""Upper garments: their shapes and details."""

from __future__ import annotations

from tireid.pedestrians.body import Body
from tireid.pedestrians.cloth import both_sides, cloth
from tireid.pedestrians.pen import Paint, Pen, Point, between, edge, shade
from tireid.pedestrians.people import PALETTE, Person

HEMS = {"coat": 20.0, "cardigan": 8.0, "blazer": 6.0, "puffer jacket": 4.0, "jacket": 3.0, "hoodie": 3.0}
"""How far below the hip a garment ends, in body units; 2 for the others."""
SLEEVE_WIDTH = {"coat": 6.6, "puffer jacket": 7.4, "jacket": 6.4, "hoodie": 6.4, "blazer": 6.0, "sweater": 6.2}


class Wardrobe:
    """Draws the upper garment of `person` on `body` with `pen`."""

    def __init__(self, pen: Pen, body: Body, person: Person) -> None:
        self.pen, self.body, self.person = pen, body, person
        upper = person.upper
        self.colour = PALETTE[upper.colour]
        self.second = PALETTE[upper.second or "white"]
        self.inner = PALETTE[upper.inner] if upper.inner else None
        self.tucked = person.accessory("belt") is not None
        self.hem = body.waist + 4.5 if self.tucked else body.hip + HEMS.get(upper.type, 2.0)
        bottom = 80.0 if upper.type == "dress" else self.hem
        self.paint = cloth(pen, upper.pattern, self.colour, self.second, body.shoulder, bottom)

    def arm(self, which: int) -> None:
        """One arm with its sleeve and hand."""
        shoulder, elbow, hand = self.body.arm(which)
        thick, upper, skin = self.body.thick, self.person.upper, self.body.skin
        self.pen.limb((shoulder, elbow, hand), (4.6 * thick, 4.0 * thick, 2.8), skin)
        self.pen.oval((hand[0] - 1.9, hand[1] - 1.9, hand[0] + 1.9, hand[1] + 2.3), skin)
        if upper.sleeve == "none":
            return
        width = SLEEVE_WIDTH.get(upper.type, 5.4) * (0.6 + 0.4 * thick)
        paint = Paint(self.inner) if upper.type == "vest" and self.inner else self.paint
        if upper.sleeve == "short":
            self.pen.limb((shoulder, between(shoulder, elbow, 0.66)), (width, width + 0.6), paint)
            return
        self.pen.limb((shoulder, elbow, between(elbow, hand, 0.9)), (width, width * 0.92, width * 0.7), paint)
        if upper.type == "puffer jacket":
            for share in (0.25, 0.5, 0.75):
                x, y = between(shoulder, elbow, share)
                self.pen.line([(x - width / 2, y), (x + width / 2, y)], edge(self.colour), 0.5)

    def torso(self) -> None:
        """The upper garment without sleeves, its details, and a belt."""
        body, upper = self.body, self.person.upper
        if upper.type == "dress":
            self._dress()
        else:
            self.pen.shape(self._torso_outline(self.hem), self.paint)
        if upper.type == "puffer jacket":
            self._quilt()
        if body.front:
            self._front_details()
        elif body.back and upper.type == "hoodie":
            self.pen.oval((-6.5, body.shoulder - 2.5, 6.5, body.shoulder + 7.5), shade(self.colour, 0.86))
        elif body.side:
            self._side_details()
        belt = self.person.accessory("belt")
        if belt:
            w = self._width(self.hem) + 0.2
            self.pen.box((-w, self.hem - 0.8, w, self.hem + 1.6), PALETTE[belt.colour])
            if body.front:
                self.pen.box((-1.2, self.hem - 0.8, 1.2, self.hem + 1.6), (206, 184, 110))

    def _torso_outline(self, hem: float) -> list[Point]:
        body = self.body
        loose = 0.9 if self.person.upper.type in ("coat", "puffer jacket", "hoodie", "jacket", "sweater") else 0.0
        s, w, h = body.shoulder_width + loose * 0.6, body.waist_width + loose, self._width(hem) + loose
        y, neck = body.shoulder, 3.2 if body.side else 3.8
        right = [(neck, y - 1.6), (s * 0.82, y), (s, y + 2.6), (s * 0.97, y + 9), (w, body.waist), (h, hem)]
        if self.person.upper.type == "tank top":
            right[1:3] = [(s * 0.62, y + 0.2), (s * 0.66, y + 5)]
        return both_sides(right)

    def _width(self, y: float) -> float:
        body = self.body
        if y <= body.hip:
            share = max(0.0, (y - body.waist) / (body.hip - body.waist))
            return body.waist_width + share * (body.hip_width - body.waist_width) + 0.4
        return body.hip_width + 0.6 + 0.08 * (y - body.hip)

    def _quilt(self) -> None:
        body = self.body
        for i in range(1, 7):
            y = body.shoulder + i * (self.hem - body.shoulder) / 7
            w = body.shoulder_width * 0.97 if y < body.waist - 12 else self._width(y) + 0.6
            self.pen.line([(-w, y), (w, y)], edge(self.colour), 0.55)

    def _dress(self) -> None:
        body, hem = self.body, self.body.knee + 1.0
        flare = body.hip_width + 5.0 if not body.side else body.hip_width + 3.0
        top = self._torso_outline(body.waist)
        half = top[: len(top) // 2 - 1]
        right = [*half, (body.waist_width + 0.3, body.waist), (flare, hem)]
        self.pen.shape(both_sides(right), self.paint)
        self.pen.line(
            [(-body.waist_width, body.waist), (body.waist_width, body.waist)], shade(edge(self.colour), 0.9), 0.9
        )

    def _front_details(self) -> None:
        body, upper, pen = self.body, self.person.upper, self.pen
        y, line = body.shoulder, edge(self.colour)
        if self.inner is not None:
            gap = 2.2 if upper.type == "vest" else 3.4
            half = [(2.8, y - 1.6), (gap, body.waist), (gap + 0.4, self.hem)]
            pen.shape(both_sides(half), self.inner)
            if upper.type in ("coat", "blazer"):
                for d in (-1, 1):
                    pen.shape([(d * 2.8, y - 1.4), (d * 6.2, y + 4.6), (d * 3.2, y + 12.5)], shade(self.colour, 0.84))
        elif upper.type in ("jacket", "puffer jacket", "coat", "blazer", "cardigan", "vest"):
            pen.line([(0, y), (0, self.hem)], line, 1.0)
            if upper.type in ("coat", "blazer", "cardigan"):
                for i in range(3):
                    cy = y + 12 + 6 * i
                    pen.oval((0.8, cy, 2.2, cy + 1.4), shade(self.colour, 0.45), outline=False)
        if upper.type in ("shirt", "polo shirt"):
            end = self.hem if upper.type == "shirt" else y + 9
            pen.line([(0, y), (0, end)], line, 0.6)
            for i in range(int((end - y - 2) / 5)):
                pen.oval((-0.5, y + 3.5 + 5 * i, 0.5, y + 4.5 + 5 * i), (250, 250, 250), outline=False)
        if upper.type == "hoodie":
            pen.shape([(-5.5, y + 20), (5.5, y + 20), (7, y + 29), (-7, y + 29)], shade(self.colour, 0.9))
        if upper.pattern == "graphic":
            self._graphic()
        tie = self.person.accessory("tie")
        if tie and self.inner is None and upper.type == "blazer":
            pen.shape([(-2.6, y - 1.4), (2.6, y - 1.4), (0, y + 12)], (238, 238, 236))
        if tie:
            c = PALETTE[tie.colour]
            pen.shape([(-1.1, y - 1), (1.1, y - 1), (1.9, y + 15), (0, y + 18), (-1.9, y + 15)], c)

    def _graphic(self) -> None:
        y, pen, second = self.body.shoulder + 7, self.pen, self.second
        kind = (sum(self.colour) + sum(second)) % 4  # the same in all pictures of a person
        if kind == 0:
            pen.box((-4.6, y, 4.6, y + 8), second)
            pen.line([(-3, y + 3), (3, y + 3)], self.colour, 0.9)
            pen.line([(-3, y + 5.4), (2, y + 5.4)], self.colour, 0.9)
        elif kind == 1:
            pen.oval((-4.6, y - 0.5, 4.6, y + 8.5), second)
            pen.oval((-2.2, y + 1.8, 2.2, y + 6.2), self.colour)
        elif kind == 2:
            for i in range(3):
                pen.box((-5.4 + 3.9 * i, y + 0.5, -2.6 + 3.9 * i, y + 6.0), second, outline=False)
        else:
            pen.shape([(0, y - 1), (5, y + 8), (-5, y + 8)], second)

    def _side_details(self) -> None:
        body, upper = self.body, self.person.upper
        if upper.type in ("jacket", "coat", "puffer jacket", "cardigan", "blazer", "vest"):
            s = body.shoulder_width
            self.pen.line([(s * 0.9, body.shoulder + 5), (body.waist_width, self.hem)], edge(self.colour), 0.9)
        if upper.type == "hoodie":
            self.pen.oval((-7.5, body.shoulder - 3.0, -0.5, body.shoulder + 5.5), shade(self.colour, 0.86))

    def collar(self) -> None:
        """What lies around the neck (drawn after it)."""
        body, upper, pen = self.body, self.person.upper, self.pen
        y = body.shoulder
        if body.side:
            if upper.type in ("shirt", "polo shirt", "jacket", "coat", "blazer"):
                pen.shape([(-3.2, y - 3), (3, y - 2.2), (3.8, y + 0.6), (-3.6, y + 0.4)], self.paint)
            return
        if upper.type in ("shirt", "polo shirt"):
            for d in (-1, 1):
                pen.shape([(0, y + 1.2), (d * 3.8, y - 2.6), (d * 4.6, y + 1.8), (d * 2.4, y + 3.4)], self.paint)
        elif upper.type == "hoodie":
            pen.limb([(-5, y - 2.4), (-3.2, y + 1.6), (0, y + 2.8), (3.2, y + 1.6), (5, y - 2.4)], (3, 3, 3, 3, 3),
                     shade(self.colour, 0.88))  # fmt: skip
            for d in (-1, 1):
                pen.line([(d * 1.4, y + 3.5), (d * 1.5, y + 9)], (236, 236, 236), 0.7)
        elif upper.type in ("sweater", "puffer jacket", "cardigan") or (upper.type == "jacket" and not self.inner):
            pen.limb([(-3.6, y - 2.0), (0, y + 0.4), (3.6, y - 2.0)], (2.2, 2.2, 2.2), shade(self.colour, 0.88))
        elif upper.type in ("t-shirt", "tank top", "dress"):
            deep = 4.0 if upper.type != "t-shirt" else 2.2
            pen.oval((-3.2, y - 3.0, 3.2, y - 1 + deep), body.skin)
