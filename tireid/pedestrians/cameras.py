"""How a picture is taken: the cameras, and the conditions of one picture.

:data:`STUDIO`, :data:`STREET` and :data:`NIGHT` hold every range that conditions are drawn from. The gap between the
styles is tuned here and nowhere else: ``STREET.scaled(0.5)`` is half as harsh.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from tireid.pedestrians.body import Pose
from tireid.pedestrians.people import VIEWS
from tireid.pedestrians.sampling import pick

Style = Literal["studio", "street", "night"]
STYLES: tuple[Style, ...] = ("studio", "street", "night")


@dataclass(frozen=True)
class Camera:
    """What all pictures of a camera share: colour gains, contrast, brightness, sharpness, height and place.

    >>> CAMERAS[0].scene, CAMERAS[0].contrast
    ('street', 1.0)
    """

    gains: tuple[float, float, float]
    contrast: float
    brightness: float
    resolution: float
    pitch: float
    scene: str


CAMERAS: tuple[Camera, ...] = (
    Camera((1.00, 1.00, 1.00), 1.00, 1.02, 1.00, 0.05, "street"),
    Camera((1.12, 1.02, 0.82), 0.92, 1.04, 0.80, 0.14, "station"),
    Camera((0.86, 0.98, 1.16), 0.86, 0.92, 0.72, 0.18, "plaza"),
    Camera((0.96, 1.07, 0.92), 1.05, 0.95, 0.85, 0.08, "park"),
    Camera((1.03, 0.97, 1.05), 0.78, 1.15, 0.65, 0.22, "corridor"),
    Camera((1.05, 1.03, 0.90), 1.10, 0.82, 0.75, 0.12, "shop"),
    Camera((0.91, 0.98, 1.10), 0.80, 0.78, 0.60, 0.16, "parking"),
    Camera((1.08, 0.96, 0.96), 0.95, 1.10, 0.90, 0.10, "crossing"),
)
"""The street cameras, numbered from 1 in file names; the studio has one neutral camera for every number."""


@dataclass(frozen=True)
class Degradation:
    """Ranges of what goes wrong in a picture; uniform between the two numbers unless said otherwise.

    >>> DEGRADATIONS["street"].scaled(0).noise
    (0.0, 0.0)
    """

    camera: float
    """How much of the camera's own look is applied, 0 to 1."""
    light: float
    """Half-range of the brightness factor around 1."""
    cast: float
    """Standard deviation of the colour gains."""
    contrast: tuple[float, float]
    resolution: tuple[float, float]
    """Share of the linear resolution that is kept."""
    blur: tuple[float, float]
    """Standard deviation of the Gaussian blur, in pixels of a 192-pixel-high picture."""
    motion: float
    """Probability of a horizontal motion blur of 3 to 5 pixels."""
    noise: tuple[float, float]
    """Standard deviation of the sensor noise, in grey levels of 255."""
    occlusion: float
    """Probability of an occluder."""
    clutter: float
    """Probability of another person in the background."""
    shift: tuple[float, float]
    """Half-ranges of the crop's offset, as shares of its width and height."""
    scale: tuple[float, float]
    """Height of the person as a share of the picture's."""
    lean: float
    """Half-range of the tilt, horizontal pixels per body unit."""
    quality: tuple[int, int]
    """JPEG quality."""
    views: tuple[float, float, float, float]
    """Weights of front, back, left and right."""

    def scaled(self, factor: float) -> Degradation:
        """All defects multiplied by `factor` (views, scale and JPEG quality stay)."""
        changed: dict[str, Any] = {}
        for name in ("camera", "motion", "occlusion", "clutter"):
            changed[name] = min(1.0, getattr(self, name) * factor)
        for name in ("light", "cast", "lean"):
            changed[name] = getattr(self, name) * factor
        for name in ("blur", "noise", "shift"):
            changed[name] = tuple(end * factor for end in getattr(self, name))
        for name, least in (("contrast", -math.inf), ("resolution", 0.1)):
            changed[name] = tuple(max(least, 1 + (end - 1) * factor) for end in getattr(self, name))
        return replace(self, **changed)


STUDIO = Degradation(
    camera=0.0, light=0.08, cast=0.02, contrast=(0.95, 1.05), resolution=(0.85, 1.0), blur=(0.0, 0.3), motion=0.0,
    noise=(0.0, 2.0), occlusion=0.0, clutter=0.0, shift=(0.03, 0.015), scale=(0.86, 0.92), lean=0.02,
    quality=(92, 92), views=(6, 2, 1, 1),
)  # fmt: skip
STREET = Degradation(
    camera=0.75, light=0.15, cast=0.035, contrast=(0.83, 1.1), resolution=(0.48, 0.9), blur=(0.2, 0.9), motion=0.12,
    noise=(1.0, 6.0), occlusion=0.16, clutter=0.2, shift=(0.07, 0.04), scale=(0.83, 0.98), lean=0.06,
    quality=(50, 88), views=(4, 3, 2, 2),
)  # fmt: skip
NIGHT = replace(STREET.scaled(1.5), contrast=(0.6, 0.85), quality=(35, 70))
"""The same eight cameras on a bad night, with low contrast, noise and blur: another domain to test on."""
DEGRADATIONS: dict[Style, Degradation] = {"studio": STUDIO, "street": STREET, "night": NIGHT}

OCCLUDERS: dict[str, float] = {"pole": 3, "car": 2, "bush": 1.5, "passer": 2, "border": 2, "railing": 1}


@dataclass(frozen=True)
class Conditions:
    """Everything about one picture that is not the person; with the person it determines every pixel.

    Lengths are shares of the picture's width or height; `cast` are gains of red, green and blue; `occluder_at` is -1
    (left) to 1 (right), `occluder_size` 0 to 1; `seed` feeds the clutter of the background and the noise.

    >>> conditions = sample_conditions(np.random.default_rng(0), "street", camera=3)
    >>> conditions.view, round(conditions.scale, 2)
    ('right', 0.97)
    """

    style: Style
    camera: int
    view: str
    pose: Pose
    mirror: bool
    scale: float
    shift: tuple[float, float]
    pitch: float
    lean: float
    scene: str
    clutter: bool
    light: float
    side_light: float
    contrast: float
    cast: tuple[float, float, float]
    resolution: float
    blur: float
    motion: int
    noise: float
    occluder: str | None
    occluder_at: float
    occluder_size: float
    quality: int
    seed: int


def sample_conditions(
    rng: np.random.Generator, style: Style, camera: int, degradation: Degradation | None = None
) -> Conditions:
    """Conditions of one picture by `camera` (1 to 8); `degradation` defaults to the style's.

    Raises:
        ValueError: the style or camera does not exist.
    """
    if style not in DEGRADATIONS:
        raise ValueError(f"style must be one of {STYLES}, got {style!r}")
    if not 1 <= camera <= len(CAMERAS):
        raise ValueError(f"camera must be 1 to {len(CAMERAS)}, got {camera}")
    ranges, own = degradation or DEGRADATIONS[style], CAMERAS[camera - 1]

    def uniform(low: float, high: float) -> float:
        return round(float(rng.uniform(low, high)), 4)

    def blend(value: float, neutral: float = 1.0) -> float:
        return neutral + (value - neutral) * ranges.camera

    gains = [round(blend(gain) * float(np.exp(rng.normal(0, ranges.cast))), 4) for gain in own.gains]
    occluder = pick(rng, OCCLUDERS) if rng.random() < ranges.occlusion else None
    return Conditions(
        style=style,
        camera=camera,
        view=pick(rng, dict(zip(VIEWS, ranges.views, strict=True))),
        pose=Pose(uniform(-1, 1), uniform(-1, 1)),
        mirror=bool(rng.random() < 0.5),
        scale=uniform(*ranges.scale),
        shift=(uniform(-ranges.shift[0], ranges.shift[0]), uniform(-ranges.shift[1], ranges.shift[1])),
        pitch=round(max(0.0, blend(own.pitch, 0.0) + uniform(-0.03, 0.03)), 4),
        lean=uniform(-ranges.lean, ranges.lean),
        scene="studio" if style == "studio" else own.scene,
        clutter=bool(rng.random() < ranges.clutter),
        light=round(blend(own.brightness) * (1 + uniform(-ranges.light, ranges.light)), 4),
        side_light=uniform(-0.12, 0.12),
        contrast=round(blend(own.contrast) * uniform(*ranges.contrast), 4),
        cast=(gains[0], gains[1], gains[2]),
        resolution=round(max(0.12, blend(own.resolution) * uniform(*ranges.resolution)), 4),
        blur=uniform(*ranges.blur),
        motion=int(rng.integers(3, 6)) if rng.random() < ranges.motion else 0,
        noise=uniform(*ranges.noise),
        occluder=occluder,
        occluder_at=uniform(-1, 1),
        occluder_size=uniform(0, 1),
        quality=int(rng.integers(ranges.quality[0], ranges.quality[1] + 1)),
        seed=int(rng.integers(2**31)),
    )
