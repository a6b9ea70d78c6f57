"""What strangers may hand over, and the one error that each is refused with; anything else is a fault."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from tests.boundaries import files
from tests.boundaries.target import FOLDER, Target, text_of, written
from tests.runner.books import PARAMETERS, book, parameters, save
from tests.search.fakes import ColourModel
from tireid.basics.yaml import YAMLError, parse_yaml
from tireid.options import Config, ConfigError
from tireid.runner.parameters import ParameterError, convert_texts, read_parameters
from tireid.search import Gallery
from tireid.search.storage import FILE, GalleryError
from tireid.studies.study import Study, StudyError

BOOK = save(book(parameters()), FOLDER)
DECLARED = read_parameters(book(parameters()))
MODEL = ColourModel()
GALLERY = Gallery(MODEL, MODEL.encode_texts(["red", "blue", "pink"]), ["a.jpg", "b/ü.jpg", "c\x1b[2J.jpg"])
GALLERY.person_ids = np.array([3, 3, 4])

STUDY = """notebook: notebooks/book.ipynb
parameters: {epochs: 2}
arms:
  one: {rate: 1e-3}
  two: {flip: false}
grid: {sizes: [[1], [2, 3]]}
zip: {name: ["a", "b"]}
seeds: [1, 2]
sources: ["04d60f6e25e9"]
"""
OVERRIDES = """loss.temperature=0.03
uncertainty.alpha=0.5
loss.alignment=sdm
optimizer.betas=[0.9, 0.98]
training.max_steps=null
sampler.kind=random
backbone=tiny
"""
VALUES = """epochs=5
rate=1e-4
flip=true
name=somebody
sizes=[1, [2, 3]]
"""


def _pairs(content: bytes) -> dict[str, str]:
    return dict((line.partition("=")[0], line.partition("=")[2]) for line in _lines(content))  # noqa: C402


def _lines(content: bytes) -> list[str]:
    return text_of(content).split("\n")[:-1]


def _query(content: bytes) -> object:
    hits = GALLERY.search(text_of(content), k=2)
    assert not set(str(hits)) & set("\x1b\x9b\x07\r\u202e")
    return hits.show()._repr_mimebundle_()


def _gallery(content: bytes) -> object:
    written(FILE, content)
    gallery = Gallery.load(FOLDER, MODEL)
    return str(gallery.search("red", k=3)), list(gallery.names), repr(gallery)


def _saved(gallery: Gallery) -> bytes:
    return (gallery.save(FOLDER / "gallery") / FILE).read_bytes()


def _book(content: bytes) -> Any:
    return read_parameters(book(parameters(text_of(content))))


TARGETS = {
    "configuration": Target(
        json.dumps(Config.preset("paper").to_dict()).encode(),
        lambda content: Config.load(written("config.json", content)),
        ConfigError,
    ),
    "overrides": Target(
        OVERRIDES.encode(), lambda content: Config.preset("paper").override(_lines(content)), ConfigError
    ),
    "yaml": Target(STUDY.encode(), lambda content: parse_yaml(text_of(content)), YAMLError),
    "study": Target(STUDY.encode(), lambda content: Study.read(written("study.yaml", content)), StudyError),
    "parameters": Target(
        VALUES.encode(), lambda content: convert_texts(_pairs(content), DECLARED), ParameterError
    ),
    "declarations": Target(PARAMETERS.encode(), lambda content: _book(content), ParameterError),
    "gallery": Target(_saved(GALLERY), _gallery, GalleryError),
    **files.TARGETS,
    "query": Target("a woman in a red coat, 你好 😀".encode(), _query, ValueError),
}  # fmt: skip
