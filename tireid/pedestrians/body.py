"""The body of a person in a pose: where its joints are, seen from a view."""

from __future__ import annotations

from dataclasses import dataclass

from tireid.pedestrians.pen import Point
from tireid.pedestrians.people import RGB, SKIN_TONES, Person


@dataclass(frozen=True)
class Pose:
    """How a body stands: `stride` 0 (standing) to 1 (a long step), signed; `swing` of the arms -1 to 1."""

    stride: float = 0.4
    swing: float = 0.0


@dataclass(frozen=True)
class Body:
    """Landmarks in body units (see :mod:`tireid.pedestrians.pen`) of a person seen from a view, facing +x if `side`."""

    view: str
    skin: RGB
    head_width: float
    chin: float
    shoulder: float
    waist: float
    hip: float
    knee: float
    shoulder_width: float
    waist_width: float
    hip_width: float
    thick: float
    ankles: tuple[Point, Point]
    knees: tuple[Point, Point]
    elbows: tuple[Point, Point]
    hands: tuple[Point, Point]

    @property
    def side(self) -> bool:
        """Seen from the left or the right."""
        return self.view in ("left", "right")

    @property
    def back(self) -> bool:
        """Seen from behind."""
        return self.view == "back"

    @property
    def front(self) -> bool:
        """Seen from the front."""
        return self.view == "front"

    def arm(self, which: int) -> tuple[Point, Point, Point]:
        """Shoulder, elbow and hand; arm 0 is behind the torso in a side view, arm 1 before it."""
        x = 0.0 if self.side else (1, -1)[which] * (self.shoulder_width - 1.6)
        return (x, self.shoulder + 2.2), self.elbows[which], self.hands[which]

    def leg(self, which: int) -> tuple[Point, Point, Point]:
        """Hip, knee and ankle."""
        x = 0.0 if self.side else (1, -1)[which] * self.hip_width * 0.48
        return (x, self.hip - 2), self.knees[which], self.ankles[which]


def pose_body(person: Person, view: str, pose: Pose) -> Body:
    """Where the joints are."""
    child, side = person.age == "child", view in ("left", "right")
    wide = {"slim": 0.8, "average": 1.0, "heavy": 1.26}[person.build]
    woman = person.gender == "woman"
    shoulder, waist, hip = (9.6, 7.0, 9.2) if woman else (11.2, 8.8, 8.8)
    if child:
        shoulder, waist, hip = 9.4, 8.0, 8.2
    if side:
        shoulder, waist, hip = 6.2, 5.4 if woman else 5.8, 6.4
    chin, top = (18.0, 21.0) if child else (14.0, 17.4)
    body_waist, crotch, knee = (43.0, 54.0, 75.0) if child else (40.0, 51.0, 73.5)
    shoulder, waist, hip = shoulder * (1 + (wide - 1) * 0.7), waist * wide, hip * wide
    return Body(
        view=view, skin=SKIN_TONES[person.skin], head_width=6.3 if child else 5.3, chin=chin, shoulder=top,
        waist=body_waist, hip=crotch, knee=knee, shoulder_width=shoulder, waist_width=waist, hip_width=hip,
        thick=wide, ankles=_ankles(side, pose, hip), knees=_knees(side, pose, hip, knee),
        **_arms(side, pose, top, shoulder, person.hand_raised),
    )  # fmt: skip


def _ankles(side: bool, pose: Pose, hip: float) -> tuple[Point, Point]:
    step = pose.stride
    if side:
        return (-10.0 * step, 94.5 - 2.0 * max(step, 0)), (10.0 * step, 94.5 - 2.0 * max(-step, 0))
    return (hip * 0.46, 94.8 - 2.6 * max(step, 0)), (-hip * 0.46, 94.8 - 2.6 * max(-step, 0))


def _knees(side: bool, pose: Pose, hip: float, knee: float) -> tuple[Point, Point]:
    step = pose.stride
    if side:
        return (-4.0 * step + 1.2 * abs(step), knee), (5.0 * step + 1.2 * abs(step), knee)
    return (hip * 0.5, knee - 1.2 * max(step, 0)), (-hip * 0.5, knee - 1.2 * max(-step, 0))


def _arms(side: bool, pose: Pose, top: float, shoulder: float, raised: bool) -> dict[str, tuple[Point, Point]]:
    elbow, hand = top + 16.5, top + 31.0
    swing = pose.swing
    if side:
        near_elbow, near_hand = (-1.0 + 3.5 * swing, elbow), (1.0 + 8.0 * swing, hand - 1.5 * abs(swing))
        far_elbow, far_hand = (-1.0 - 3.5 * swing, elbow), (1.0 - 8.0 * swing, hand - 1.5 * abs(swing))
        if raised:
            near_elbow, near_hand = (0.5, elbow), (9.0, elbow - 5)
        return {"elbows": (far_elbow, near_elbow), "hands": (far_hand, near_hand)}
    right_elbow, right_hand = (shoulder + 1.0, elbow), (shoulder + 0.6, hand + 1.5 * swing)
    left_elbow, left_hand = (-shoulder - 1.0, elbow), (-shoulder - 0.6, hand - 1.5 * swing)
    if raised:
        left_elbow, left_hand = (-shoulder - 1.2, elbow + 0.5), (-shoulder * 0.5, elbow - 5.5)
    return {"elbows": (right_elbow, left_elbow), "hands": (right_hand, left_hand)}
