"""Legs, lower garments and shoes."""

from __future__ import annotations

from tireid.pedestrians.body import Body
from tireid.pedestrians.cloth import both_sides, cloth
from tireid.pedestrians.pen import Paint, Pen, between, edge, shade
from tireid.pedestrians.people import PALETTE, RGB, Person

LEG_WIDTHS = {  # thigh, knee, ankle as shares of the hip's half-width
    "trousers": (1.06, 0.82, 0.72),
    "jeans": (1.04, 0.74, 0.58),
    "sweatpants": (1.10, 0.92, 0.62),
    "leggings": (0.98, 0.60, 0.40),
    "skin": (0.92, 0.54, 0.36),
}


class Legs:
    """Draws the legs of `person`, and what is worn on them, on `body` with `pen`."""

    def __init__(self, pen: Pen, body: Body, person: Person) -> None:
        self.pen, self.body, self.person = pen, body, person

    def draw(self) -> None:
        """Legs, shoes and the lower garment."""
        lower = self.person.lower
        short = lower is None or lower.type in ("skirt", "long skirt", "shorts")
        second = PALETTE[lower.second or "white"] if lower else (255, 255, 255)
        paint = cloth(self.pen, lower.pattern, PALETTE[lower.colour], second, 44, 96) if lower else Paint(second)
        for which in (0, 1):
            self._leg(which, "skin", self.body.skin)
            self._shoe(which)
            if lower and not short:
                self._trouser(which, lower.type, paint)
                if lower.pattern == "side stripe":
                    self._stripe(which, second)
            if self.person.shoes.type == "boots":
                self._boot(which)
        if lower and short:
            self._shorts(paint) if lower.type == "shorts" else self._skirt(lower.type, paint)

    def _leg(self, which: int, kind: str, paint: Paint | RGB) -> None:
        thigh, knee, ankle = (share * (self.body.hip_width if not self.body.side else self.body.hip_width * 1.3)
                              for share in LEG_WIDTHS[kind])  # fmt: skip
        self.pen.limb(self.body.leg(which), (thigh, knee, ankle), paint)

    def _trouser(self, which: int, kind: str, paint: Paint) -> None:
        body = self.body
        self._leg(which, kind, paint)
        hip, knee, ankle = body.leg(which)
        if which == 1:
            w = body.hip_width
            half = [(w, body.waist + 3), (w, body.hip - 1), (0.0, body.hip + 3)]
            self.pen.shape(both_sides(half), paint, outline=False)
        d = 0 if body.side else (1, -1)[which]
        if kind == "jeans":
            seam = shade(paint.colour, 1.25) if sum(paint.colour) < 620 else shade(paint.colour, 0.8)
            outer = [(hip[0] + d * 2.6, hip[1] + 3), (knee[0] + d * 2.2, knee[1]), (ankle[0] + d * 1.6, ankle[1] - 1)]
            self.pen.line(outer, seam, 0.6)
            self.pen.line([(ankle[0] - 2.4, ankle[1] - 1.2), (ankle[0] + 2.4, ankle[1] - 1.2)], seam, 0.8)
        elif kind == "trousers":
            self.pen.line([hip, knee, ankle], edge(paint.colour), 0.5)
        elif kind == "sweatpants":
            cuff = shade(paint.colour, 0.78) if sum(paint.colour) > 150 else shade(paint.colour, 1.2)
            self.pen.box((ankle[0] - 2.6, ankle[1] - 2.4, ankle[0] + 2.6, ankle[1] + 0.4), cuff)

    def _stripe(self, which: int, colour: RGB) -> None:
        d = 0 if self.body.side else (1, -1)[which]
        hip, knee, ankle = self.body.leg(which)
        outer = [(hip[0] + d * 4.0, hip[1] + 4), (knee[0] + d * 3.2, knee[1]), (ankle[0] + d * 2.2, ankle[1] - 2)]
        self.pen.line(outer, colour, 1.3)

    def _shorts(self, paint: Paint) -> None:
        body = self.body
        for which in (0, 1):
            hip, knee, _ = body.leg(which)
            width = body.hip_width * (1.4 if body.side else 1.08)
            self.pen.limb((hip, between(hip, knee, 0.8)), (width, width * 0.98), paint)
        w = body.hip_width
        half = [(w, body.waist + 3), (w, body.hip), (0.0, body.hip + 3)]
        self.pen.shape(both_sides(half), paint, outline=False)

    def _skirt(self, kind: str, paint: Paint) -> None:
        body = self.body
        long = kind == "long skirt"
        hem = 88.0 if long else body.knee - 4
        flare = body.hip_width + (3.4 if long else 3.8)
        w = body.hip_width
        points = [(w * 0.9, body.waist + 2), (w, body.hip - 2), (flare, hem)]
        self.pen.shape(both_sides(points), paint)
        for x in (-0.4, 0.1, 0.55):
            self.pen.line([(w * x, body.hip), (flare * x * 1.1, hem)], edge(paint.colour), 0.5)

    def _boot(self, which: int) -> None:
        _, knee, ankle = self.body.leg(which)
        top = between(ankle, knee, 0.5)
        wide = self.body.hip_width * (0.78 if self.body.side else 0.62)
        self.pen.limb(
            (top, (ankle[0], ankle[1] + 2)), (max(wide, 5.6), max(wide * 0.8, 4.6)), PALETTE[self.person.shoes.colour]
        )

    def _shoe(self, which: int) -> None:
        (x, y), body, pen, shoes = self.body.ankles[which], self.body, self.pen, self.person.shoes
        colour, kind = PALETTE[shoes.colour], shoes.type
        y -= 0.3
        if body.side:
            toe = 8.0 if kind in ("leather shoes", "high heels") else 7.2
            points = [
                (x - 3.2, y - 1),
                (x + 2, y - 1.2),
                (x + toe - 1, y + 2.6),
                (x + toe, y + 5.2),
                (x - 3.2, y + 5.2),
            ]
            sole = (x - 3.4, y + 4.2, x + toe, y + 5.6)
        else:
            out = 0.5 if x > 0 else -0.5
            points = [(x - 2.4, y - 1), (x + 2.4, y - 1), (x + 3.4 + out, y + 3.2), (x + 2.4 + out, y + 5.4),
                      (x - 2.4 + out, y + 5.4), (x - 3.4 + out, y + 3.2)]  # fmt: skip
            sole = (x - 3.0 + out, y + 4.3, x + 3.0 + out, y + 5.6)
        if kind in ("sandals", "flats", "high heels"):
            pen.shape(points, body.skin)
        if kind == "sandals":
            pen.box(sole, colour)
            pen.line([points[0], points[2]], colour, 1.3)
            pen.line([(x - 3, y + 2.6), (x + 3.6, y + 2.6)], colour, 1.3)
            return
        if kind in ("flats", "high heels"):
            low = [(px, max(py, y + 1.8)) for px, py in points]
            pen.shape(low, colour)
            if kind == "high heels" and body.side:
                pen.box((x - 3.4, y + 3, x - 2.2, y + 6.4), colour)
            return
        pen.shape(points, colour)
        if kind == "sneakers":
            pen.box(sole, (246, 246, 246) if sum(colour) < 640 else (150, 152, 156), outline=False)
            pen.line(
                [(x - 1.2, y + 1.4), (x + 1.6, y + 1.4)], (250, 250, 250) if sum(colour) < 600 else (170, 170, 170), 0.7
            )
        else:
            pen.box(sole, shade(colour, 0.5), outline=False)
