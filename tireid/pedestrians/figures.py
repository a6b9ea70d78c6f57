"""Draws a person: the order in which the parts cover each other."""

from __future__ import annotations

from tireid.pedestrians import carried, heads
from tireid.pedestrians.body import Pose, pose_body
from tireid.pedestrians.garments import Wardrobe
from tireid.pedestrians.legs import Legs
from tireid.pedestrians.pen import Pen
from tireid.pedestrians.people import HELD, Person


def draw_person(pen: Pen, person: Person, view: str, pose: Pose) -> None:
    """Draw everything, from the farthest to the nearest part."""
    body = pose_body(person, view, pose)
    wear = Wardrobe(pen, body, person)
    if body.back:
        carried.held(pen, body, person)
    heads.behind(pen, body, person)
    if body.side:
        carried.bag_behind(pen, body, person)
        wear.arm(0)
    else:
        carried.bag_behind(pen, body, person)
    raised = any(person.accessory(kind) for kind in HELD)
    if not body.side and (body.back or not raised):
        wear.arm(1)
    if not body.side:
        wear.arm(0)
    Legs(pen, body, person).draw()
    wear.torso()
    if body.back:
        heads.neck(pen, body, person)
        heads.head(pen, body, person)
        carried.scarf(pen, body, person)
        carried.bag_over(pen, body, person)
        heads.over(pen, body, person)
    else:
        heads.neck(pen, body, person)
        wear.collar()
        carried.scarf(pen, body, person)
        carried.bag_over(pen, body, person)
        heads.head(pen, body, person)
        heads.over(pen, body, person)
    if body.side or (body.front and raised):
        wear.arm(1)
    carried.in_hand(pen, body, person)
    if not body.back:
        carried.held(pen, body, person)
