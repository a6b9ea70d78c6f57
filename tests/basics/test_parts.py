"""Parts from outside: resolved only where the user said so, checked, and known by their source."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tireid.basics.parts import (
    TRUST,
    PartError,
    UntrustedPartError,
    fingerprint,
    is_part,
    is_trusted,
    resolve,
    resolve_function,
    trust,
)

SOURCE = 'raise SystemExit("executed")\n'


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(TRUST, "")
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("outside_"):
            del sys.modules[name]


@pytest.mark.parametrize("name", ["circle", "a:b:c", "a.b", "1a:b", "a:b-c", ":b", "a:", 3, None, "C:/x"])
def test_what_is_not_an_import_path(name: object) -> None:
    assert not is_part(name)


def test_nothing_is_imported_because_a_path_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outside_a.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UntrustedPartError, match=r"loss names 'outside_a:Loss'.*--trust outside_a"):
        resolve("outside_a:Loss", "loss")
    assert "outside_a" not in sys.modules
    assert len(fingerprint("outside_a:Loss")) == 16
    assert "outside_a" not in sys.modules


def test_trust_opens_a_module_or_a_package_here_and_in_children(tmp_path: Path) -> None:
    package = tmp_path / "outside_p"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("value = 3\n")
    trust("outside_p", folder=tmp_path)
    assert resolve("outside_p.inner:value", "it") == 3
    assert os.environ[TRUST] == "outside_p"
    assert os.environ["PYTHONPATH"].split(os.pathsep)[0] == str(tmp_path.resolve())
    assert not is_trusted("outside_pp")
    assert not is_trusted("outside")


def test_what_cannot_be_resolved_says_why(tmp_path: Path) -> None:
    (tmp_path / "outside_b.py").write_text("import nothing_here\n")
    (tmp_path / "outside_c.py").write_text("def Margin(): pass\n")
    trust("outside_b", "outside_c", folder=tmp_path)
    with pytest.raises(PartError, match=r"importing outside_b fails: ModuleNotFoundError"):
        resolve("outside_b:x", "it")
    with pytest.raises(PartError, match=r"outside_c has no 'Margn'; did you mean 'Margin'"):
        resolve("outside_c:Margn", "it")
    with pytest.raises(PartError, match=r'is not a reader: put @tireid\.part\("reader"\)'):
        resolve_function("outside_c:Margin", "reader", "dataset")


@pytest.mark.parametrize("path", ["shutil:rmtree", "os:system", "subprocess:call", "builtins:eval"])
def test_a_function_that_nobody_marked_is_no_part_though_its_module_is_loaded(path: str) -> None:
    import shutil
    import subprocess  # noqa: F401

    assert shutil
    for kind in ("reader", "fusion", "metric"):
        with pytest.raises(PartError, match=f"is not a {kind}"):
            resolve_function(path, kind, "option")


def test_a_mark_is_for_one_kind_only(tmp_path: Path) -> None:
    (tmp_path / "outside_d.py").write_text('import tireid\n\n\n@tireid.part("metric")\ndef f(ranks): return 1.0\n')
    trust("outside_d", folder=tmp_path)
    assert resolve_function("outside_d:f", "metric", "it")([1]) == 1.0
    with pytest.raises(PartError, match="is not a fusion"):
        resolve_function("outside_d:f", "fusion", "it")


def test_the_fingerprint_follows_the_source(tmp_path: Path) -> None:
    file = tmp_path / "outside_e.py"
    file.write_text(SOURCE)
    first = fingerprint("outside_e:x", [tmp_path])
    assert fingerprint("outside_e:other", [tmp_path]) == first
    file.write_text(SOURCE + "\n")
    assert fingerprint("outside_e:x", [tmp_path]) != first
    (tmp_path / "outside_q").mkdir()
    (tmp_path / "outside_q" / "__init__.py").write_text(SOURCE)
    (tmp_path / "outside_q" / "m.py").write_text(SOURCE)
    assert fingerprint("outside_q.m:x", [tmp_path]) == first
    for absent in ("outside_none:x", "outside_q.none:x", "sys:exit"):
        with pytest.raises(PartError, match="no source file of a module"):
            fingerprint(absent, [tmp_path])
