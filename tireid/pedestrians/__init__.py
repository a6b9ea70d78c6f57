"""Procedural pedestrians with attributes and captions: the default data set, since the real ones need a licence."""

from tireid.pedestrians.cameras import (
    CAMERAS,
    STREET,
    STUDIO,
    Camera,
    Conditions,
    Degradation,
    Style,
    sample_conditions,
)
from tireid.pedestrians.captions import Caption, describe
from tireid.pedestrians.masks import GARMENTS, garment_map, read_garment_map
from tireid.pedestrians.people import PALETTE, Item, Lower, Person, Upper, attributes, visible
from tireid.pedestrians.rendering import hidden_parts, render
from tireid.pedestrians.sampling import sample_person
from tireid.pedestrians.sheet import contact_sheet
from tireid.pedestrians.writer import GENERATOR_VERSION, write_dataset

__all__ = [
    "CAMERAS",
    "GARMENTS",
    "GENERATOR_VERSION",
    "PALETTE",
    "STREET",
    "STUDIO",
    "Camera",
    "Caption",
    "Conditions",
    "Degradation",
    "Item",
    "Lower",
    "Person",
    "Style",
    "Upper",
    "attributes",
    "contact_sheet",
    "describe",
    "garment_map",
    "hidden_parts",
    "read_garment_map",
    "render",
    "sample_conditions",
    "sample_person",
    "visible",
    "write_dataset",
]
