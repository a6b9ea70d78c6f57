from __future__ import annotations

import colorsys
from collections import Counter

import numpy as np
import pytest

from tireid.pedestrians import CAMERAS, STREET, attributes, sample_conditions, sample_person, visible
from tireid.pedestrians.people import HAIR_COLOURS, PALETTE
from tireid.pedestrians.sampling import OPEN_GARMENTS, WOMENS, pick


def crowd(count: int, seed: int = 0) -> list:
    rng = np.random.default_rng(seed)
    return [sample_person(rng) for _ in range(count)]


def test_people_are_mostly_different_but_easily_confused() -> None:
    people = crowd(1300)
    assert len(set(people)) > 1290
    outfits = Counter((p.gender, p.upper.type, p.upper.colour) for p in people)
    assert max(outfits.values()) >= 8
    assert len(outfits) > 200


def test_seeds_decide_who_people_are() -> None:
    assert crowd(20, 1) == crowd(20, 1)
    assert not set(crowd(20, 1)) & set(crowd(20, 2))


def test_attributes_are_consistent() -> None:
    for person in crowd(600):
        told = attributes(person)
        assert (person.lower is None) == (person.upper.type == "dress")
        assert ("upper.second" in told) == (person.upper.pattern != "plain")
        assert person.upper.inner is None or person.upper.type in OPEN_GARMENTS | {"vest"}
        assert person.hair.colour in HAIR_COLOURS
        if person.gender == "man":
            assert not WOMENS & set(told.values())
        else:
            assert not person.beard
        for key, value in told.items():
            if key.endswith((".colour", ".second", ".inner")) and not key.startswith("hair"):
                assert value in PALETTE, key


def test_pick_follows_its_weights() -> None:
    rng = np.random.default_rng(0)
    counts = Counter(pick(rng, {"a": 1, "b": 3, "never": 0}) for _ in range(4000))
    assert counts["never"] == 0
    assert counts["b"] / 4000 == pytest.approx(0.75, abs=0.03)


def test_visible_refuses_unknown_views_and_drops_hidden_parts() -> None:
    person = crowd(1)[0]
    with pytest.raises(ValueError, match="views must be some of"):
        visible(person, ["above"])
    with pytest.raises(ValueError, match="views must be some of"):
        visible(person, [])
    seen = visible(person, ["front"])
    assert set(visible(person, ["front"], ["shoes"])) == {key for key in seen if not key.startswith("shoes.")}
    both = set(visible(person, ["front"])) | set(visible(person, ["back"]))
    assert set(visible(person, ["front", "back"])) == both


def test_conditions_follow_style_and_camera() -> None:
    rng = np.random.default_rng(0)
    clean = [sample_conditions(rng, "studio", 1 + i % len(CAMERAS)) for i in range(80)]
    assert all(c.occluder is None and not c.clutter and c.motion == 0 and c.scene == "studio" for c in clean)
    street = [sample_conditions(rng, "street", 1 + i % len(CAMERAS)) for i in range(400)]
    assert {c.view for c in street} == {"front", "back", "left", "right"}
    by_camera = [np.mean([c.cast for c in street if c.camera == k + 1], axis=0) for k in range(len(CAMERAS))]
    for mean, camera in zip(by_camera, CAMERAS, strict=True):
        assert mean == pytest.approx(camera.gains, abs=0.05)
    assert np.mean([c.resolution for c in street]) < 0.6 < 0.85 < np.mean([c.resolution for c in clean])
    with pytest.raises(ValueError, match="camera must be 1 to 8"):
        sample_conditions(rng, "street", 0)
    with pytest.raises(ValueError, match="style must be one of"):
        sample_conditions(rng, "film", 1)  # type: ignore[arg-type]


def test_degradation_scales_to_nothing() -> None:
    none = STREET.scaled(0.0)
    c = sample_conditions(np.random.default_rng(0), "street", 5, none)
    assert (c.blur, c.noise, c.occluder, c.motion, c.resolution, c.contrast, c.cast) == (0, 0, None, 0, 1, 1, (1, 1, 1))
    half = STREET.scaled(0.5)
    assert (half.light, half.occlusion) == (STREET.light / 2, STREET.occlusion / 2)
    assert half.resolution == pytest.approx([(1 + share) / 2 for share in STREET.resolution])


HUES = {
    "red": 357, "maroon": 345, "pink": 337, "orange": 29, "yellow": 50, "brown": 25, "green": 133, "teal": 183,
    "light blue": 207, "blue": 220, "navy": 230, "purple": 277, "olive": 62, "beige": 38,
}  # fmt: skip
"""Degrees on the colour wheel that a dictionary of colours gives, to within 15."""


def test_the_palette_is_what_its_names_say() -> None:
    for name, (red, green, blue) in PALETTE.items():
        hue, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
        if name in ("black", "white", "grey"):
            assert saturation < 0.15
            assert {"black": 0.0, "grey": 0.5, "white": 1.0}[name] == pytest.approx(value, abs=0.15)
        else:
            assert abs((hue * 360 - HUES[name] + 180) % 360 - 180) < 15, name
            assert saturation > 0.2
    darker = {"maroon": "red", "navy": "blue", "blue": "light blue", "brown": "beige", "grey": "white"}
    for dark, light in darker.items():
        assert sum(PALETTE[dark]) < sum(PALETTE[light]) - 60
