"""Files that strangers hand over: data, notebooks and pages, presets, checkpoints, results."""

from __future__ import annotations

import io
import json
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
from bs4 import BeautifulSoup
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from tests.boundaries.target import FOLDER, TOKENS, Target, written
from tests.runner.books import book, code, parameters
from tests.runner.test_sanitise import ACTS, HOSTILE
from tireid.data import AnnotationError, load_dataset
from tireid.domain import Domain, Held, Pictures, Presence, Words
from tireid.domain.record import FILE as DOMAIN
from tireid.domain.record import WEIGHTS
from tireid.model import CheckpointError
from tireid.model.io import own
from tireid.model.io.files import metadata
from tireid.model.io.resolve import ASSETS
from tireid.options import Config, ConfigError
from tireid.runner.execution import _prepared
from tireid.runner.notebook import code_hash, source_hash
from tireid.runner.parameters import ParameterError, check_values, declared_in, load_profile, read_parameters
from tireid.runner.parameters import substitute_parameters as substituted
from tireid.runner.sanitise import clean_html
from tireid.studies.record import Record
from tireid.studies.results import load
from tireid.studies.store import PACK, Store, _arrays
from tireid.studies.study import Study, Task

DECLARED = read_parameters(book(parameters()))
NO_TREE = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError, SafetensorError)
"""What is raised where the input is no tree of this test's own making; it is then the file itself."""

# ---- data

TABLE = """path,caption,person,camera,split
a/1.jpg,"a man, in red",7,c1s2,train
a/1.jpg,a man who runs,7,1,train
b/2.jpg,a woman in blue,8,2,valid
/b/ü 3.jpg,"she says ""hello"" twice",anna,,test
"""
PUBLISHED = {
    "CUHK-PEDES": ("reid_raw.json", "file_path", "Market/1_c1.jpg"),
    "ICFG-PEDES": ("ICFG-PEDES.json", "file_path", "test/1.jpg"),
    "RSTPReid": ("data_captions.json", "img_path", "1_c3_2.jpg"),
}


def _data(name: str, file: Path, content: bytes) -> object:
    written(str(file), content)
    data = load_dataset(FOLDER / file if name == "own" else name, None if name == "own" else FOLDER)
    return repr(data), data.fingerprint, data.notes


def _published(name: str) -> Target:
    file, field, path = PUBLISHED[name]
    (FOLDER / name / "imgs").mkdir(parents=True, exist_ok=True)
    row = {"id": 1, field: path, "captions": ["a man in a red coat", "he runs"], "split": "train"}
    other = {"id": "2", field: f"/é{path}", "captions": ["", "a woman"], "split": "testing"}
    rows = [row, row | {"captions": ["somebody"], "processed_tokens": [["a"]]}, other]
    where = Path(name, file)
    return Target(json.dumps(rows).encode(), lambda content: _data(name, where, content), AnnotationError, file)


# ---- notebooks, pages, presets

PRESET = """# what differs
extends: paper
options:
  uncertainty: {alpha: 0.5}
  loss: {alignment: sdm, temperature: 0.05}
  optimizer: {lr: 1.0e-5, betas: [0.9, 0.98]}
tiny:
  loss: {temperature: 0.2}
"""
PROFILE = """book:
  epochs: 2  # passes
  rate: 1e-3
  flip: false
  sizes: [1, [2, 3]]
other: {epochs: 1}
"""
PAGE = """<h1 id="a" class="b">T</h1><p style="color: red; position: relative">a <b>b</b> &lt;i&gt;</p>
<table border="1"><tr><td colspan=2>1</td></tr></table><img src="data:image/png;base64,AAAA" alt="x">
<svg viewBox="0 0 9 9"><g fill="red"><path d="M0 0"/></g></svg><math><mi>x</mi></math>
<a href="https://example.org/">l</a><details open><title>t</title>d</details><!-- c -->
"""
MARKUP = (
    *(attack.encode() for attack in HOSTILE),
    *(b"<", b">", b'"', b"'", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"&#x6a;"),
    *(b"</style>", b"</title>", b"<mtext>", b"</math>", b"<svg>", b"style='", b"onload=", b"url("),
)


def _notebook(content: bytes) -> object:
    nb, declared = declared_in(written("stranger.ipynb", content))
    values = {name: parameter.default for name, parameter in declared.items()}
    again = substituted(nb, values)
    assert {name: found.default for name, found in read_parameters(again).items()} == values
    return source_hash(nb), code_hash(nb), nbformat.writes(_prepared(again, values)).encode()


def _stranger() -> bytes:
    nb = book(nbformat.v4.new_markdown_cell("# T\ntext"), parameters(), code("1 + 1", tags=["raises-exception"]))
    nb.cells[-1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="a")]
    return bytes(nbformat.writes(nb).encode())


def _profile(content: bytes) -> object:
    return check_values(load_profile(written("profile.yaml", content), Path("book.ipynb")), DECLARED)


def _clean(content: bytes) -> None:
    """As it is written, and as a browser may write what it reads."""
    cleaned = clean_html(content.decode(errors="replace"))
    for page in (cleaned, clean_html(cleaned)):
        _harmless(page)


def _harmless(page: str) -> None:
    soup = BeautifulSoup(page, "html.parser")
    assert not soup.select(ACTS)
    for element in soup.find_all(True):
        assert not [name for name in element.attrs if name.lower().startswith("on")]
        assert re.match(r"data:image/[\w+]+;base64,", str(element.get("src", "data:image/png;base64,")))
        assert re.match(r"\s*((https?|mailto):|[^:]*[/?#]|[^:]*$)", str(element.get("href", "")), re.IGNORECASE)
        assert "url(" not in str(element.get("style", "")) + str(element.get("fill", ""))


# ---- checkpoints


def _checkpoint(content: bytes) -> object:
    path = written("checkpoint/config.json", content)
    return own.read_config(own.read_description(path), path)


def _unit(*shape: int) -> Any:
    rows = np.random.default_rng(len(shape) + sum(shape)).normal(size=shape).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def _learned() -> bytes:
    """A domain as a tree: what its file notes, and of each array its shape and values that repeat."""
    captions = ["a man in a red coat", "a woman in blue"]
    scores, people = np.arange(5, dtype=np.float32), np.arange(3, dtype=np.float32)
    whole = Domain(
        Held("drawn", 10, 20, 40),
        Held("others", 25, 50, 50),
        Words.fit(captions, _unit(6, 4), captions, _unit(2, 4)),
        Pictures.fit((_unit(6, 43), _unit(6, 4)), (_unit(7, 43), _unit(7, 4))),
        Presence(scores, people, _unit(2, 3, 5), _unit(3, 5), 2.0),
    )
    written(f"domain/{WEIGHTS}", b"weights")
    whole.save(FOLDER / "domain")
    file = FOLDER / "domain" / DOMAIN
    arrays = {name: {"shape": a.shape, "values": a.ravel()[:6].tolist()} for name, a in load_file(file).items()}
    return json.dumps({"domain": json.loads(metadata(file)["domain"]), "arrays": arrays}).encode()


def _domain(content: bytes) -> object:
    file = written(f"domain/{DOMAIN}", content)
    with suppress(*NO_TREE):  # else as it is
        tree = json.loads(content)
        arrays = {name: _filled(**array) for name, array in tree["arrays"].items()}
        save_file(arrays, file, metadata={"domain": json.dumps(tree["domain"])})
    domain = Domain.load(file.parent)
    if domain is None:
        return None
    width = len(domain.words.features.scale)
    domain.words.p_values(["a teal coat"], _unit(1, width)), domain.words.sentence("a teal coat"), domain.summary()
    if domain.pictures is not None:
        statistics, features = (len(part.scale) for part in (domain.pictures.statistics, domain.pictures.features))
        domain.pictures.p_values(_unit(1, statistics), _unit(1, features))
    if domain.presence is not None:
        domain.presence.p_value(0.3, 17, [1, 2]), domain.presence.power(17), domain.presence.power(2, [1, 1])
    return domain


def _filled(shape: list[int], values: list[float]) -> Any:
    if np.prod([float(side) for side in shape]) > 10_000:
        raise ValueError("too large for a test")
    return np.resize(np.array(values, np.float32), shape)


# ---- results

TASK = Task("", 1, Path("book.ipynb"), {"epochs": 2, "seed": 1}, ("0123456789ab",))
STUDY = Study("fuzz", TASK.notebook, (TASK,))
QUERIES = pd.DataFrame(
    {"direction": ["t2i", "t2i", "i2t"], "query": [0, 1, 0], "person_id": [7, 8, 7], "first_rank": [1, 3, 1], "AP": 0.5}
)
RECORD = Record(
    {"notebook": TASK.notebook.name, "parameters": dict(TASK.parameters)},
    {"test": {"t2i": {"R@1": 61.5}}, "note": "a"},
    {"code_sha256": TASK.sources[0], "parameters": {"seed": 1}, "changed": ["seed"], "seconds": 1.5},
    Config.preset("paper").to_dict(),
    pd.DataFrame({"step": [1, 2], "loss": [0.5, 0.25]}),
    QUERIES,
)
TREES = ("task", "metrics", "provenance", "config")


def _shown(folder: Path) -> object:
    store = Store(folder)
    return str(load(STUDY, store)) if TASK in store else None  # where there is none, load() says so


def _folder() -> bytes:
    """The files of a result, as those of before there were digests."""
    trees = {f"{name}.json": getattr(RECORD, name) for name in TREES}
    tables = {"history.csv": RECORD.history, "per_query.csv": RECORD.per_query}
    return json.dumps(trees | {name: table.to_csv(index=False) for name, table in tables.items()}).encode()


FILES = _folder()


def _result(content: bytes) -> object:
    """Its files, or in place of its metrics what is no such tree."""
    folder = FOLDER / "results" / TASK.key
    files = json.loads(FILES)
    try:
        files = {"task.json": files["task.json"]} | {n: tree for n, tree in json.loads(content).items() if n in files}
    except NO_TREE:
        files["metrics.json"] = content.decode(errors="replace")
    shutil.rmtree(folder, ignore_errors=True)
    for name, tree in files.items():
        text = tree if isinstance(tree, str) else json.dumps(tree)
        written(str(folder / name), text.encode(errors="replace"))
    return _shown(folder.parent)


def _packed() -> bytes:
    with io.BytesIO() as file:
        np.savez(file, **_arrays({TASK.key: RECORD}))  # not compressed, so that what is changed is reached
        return file.getvalue()


def _rows() -> bytes:
    arrays = _arrays({TASK.key: RECORD})
    rows = [json.loads(line) for line in arrays.pop("runs").tobytes().splitlines()]
    return json.dumps({"runs": rows, "tables": {name: array.tolist() for name, array in arrays.items()}}).encode()


def _repacked(content: bytes) -> object:
    """What the file holds, rather than its bytes, whose sums a change would break."""
    with suppress(*NO_TREE):
        tree = json.loads(content)
        runs = "\n".join(json.dumps(row) for row in tree["runs"]).encode()
        arrays = {name: np.array(values) for name, values in tree["tables"].items()}
        with io.BytesIO() as file:
            np.savez(file, allow_pickle=False, runs=np.frombuffer(runs, np.uint8), **arrays)
            content = file.getvalue()
    return _pack(content)


def _pack(content: bytes) -> object:
    return _shown(written(f"packed/{PACK}", content).parent)


TARGETS = {
    "table": Target(TABLE.encode(), lambda content: _data("own", Path("own.csv"), content), AnnotationError, "own.csv"),
    **{name: _published(name) for name in PUBLISHED},
    "notebook": Target(_stranger(), _notebook, ValueError, "stranger.ipynb"),
    "page": Target(PAGE.encode(), _clean, (), tokens=(*MARKUP, *TOKENS)),
    "preset": Target(PRESET.encode(), lambda text: Config.preset(written("own.yaml", text)), ConfigError, "own.yaml"),
    "profile": Target(PROFILE.encode(), _profile, ParameterError),
    "checkpoint": Target((ASSETS / "tiny" / own.CONFIG).read_bytes(), _checkpoint, CheckpointError, own.CONFIG),
    "domain": Target(_learned(), _domain, ValueError, DOMAIN),
    "result": Target(FILES, _result, ValueError, TASK.key),
    "packed result": Target(_rows(), _repacked, ValueError, PACK),
    "pack": Target(_packed(), _pack, ValueError, PACK),
}  # fmt: skip
