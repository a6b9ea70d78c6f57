"""Draws a person: the order in which the parts cover each other."""

from __future__ import annotations

from tireid.pedestrians import carried, heads
from tireid.pedestrians.body import Pose, pose_body
from tireid.pedestrians.garments import Wardrobe
from tireid.pedestrians.legs import Legs
from tireid.pedestrians.pen import Pen
from tireid.pedestrians.people import Person


def draw_person(pen: Pen, person: Person, view: str, pose: Pose) -> None:
    """Draw everything, from the farthest to the nearest part."""
    body = pose_body(person, view, pose)
    wear = Wardrobe(pen, body, person)
    if body.back:
        carried.held(pen, body, person)
    heads.behind(pen, body, person)
    carried.bag_behind(pen, body, person)
    if body.back or (body.front and not person.hand_raised):
        wear.arm(1)
    wear.arm(0)
    Legs(pen, body, person).draw()
    wear.torso()
    heads.neck(pen, body)
    if body.back:
        heads.head(pen, body, person)
    else:
        wear.collar()
    carried.scarf(pen, body, person)
    carried.bag_over(pen, body, person)
    if not body.back:
        heads.head(pen, body, person)
    heads.over(pen, body, person)
    if body.side or (body.front and person.hand_raised):
        wear.arm(1)
    carried.in_hand(pen, body, person)
    if not body.back:
        carried.held(pen, body, person)
