"""The sections against their dataclasses, and the whole load against whatever comes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.config.loading import ConfigRefused, load
from relay.config.schema.file import FileSection
from relay.config.schema.section import Section
from relay.config.schema.setting import Setting
from relay.config.schema.words import Hidden


def _settings(section: type[Section], place: str = "") -> Iterator[tuple[str, Setting[Any]]]:
    for name, setting in section().settings():
        inner: type[Section] | None = getattr(setting, "section", None)
        if inner is None:
            yield f"{place}{name}", setting
        else:
            yield from _settings(inner, f"{place}{name}.")


def _sections(section: type[Section]) -> Iterator[type[Section]]:
    yield section
    for _, setting in section().settings():
        inner: type[Section] | None = getattr(setting, "section", None)
        if inner is not None:
            yield from _sections(inner)


def test_every_setting_is_described() -> None:
    assert [place for place, setting in _settings(FileSection) if not setting.doc] == []


def test_a_section_has_the_fields_of_the_dataclass_it_fills() -> None:
    filled = [section for section in _sections(FileSection) if section.fills is not None]

    assert len(filled) > 10
    for section in filled:
        assert section.fills is not None
        missing = {field.name for field in fields(section.fills)} - set(section().fields)
        assert missing == set(), section


# What a careless hand may write where something else is wanted.
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


def _with_secrets(section: type[Section]) -> dict[str, Any]:
    """A tree that gives every secret of the file, and the sections around them."""
    tree: dict[str, Any] = {}
    for name, setting in section().settings():
        inner: type[Section] | None = getattr(setting, "section", None)
        if inner is not None:
            part = _with_secrets(inner)
            tree[name] = [part] if setting.kind.startswith("list") else part
        elif isinstance(setting, Hidden):
            tree[name] = "http://user:s3cret@host"
        elif name in {"name", "type"}:
            tree[name] = "anthropic"
    return tree


def _put(tree: Any, place: str, value: object) -> None:
    *way, last = place.split(".")
    for step in way:
        tree = tree[step]
        tree = tree[0] if isinstance(tree, list) else tree
    tree[last] = value


_PLACES = [place for place, _ in _settings(FileSection)] + [
    *("server", "server.auth", "routing.gate", "providers", "providers.keys", "clients.keys"),
    *("grpc", "cache", "unknown", "providers.unknown", "pricing", "scenarios", "logging"),
]


@settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(st.tuples(st.sampled_from(_PLACES), _VALUES | st.just("s3cret")), max_size=3),
    form=st.sampled_from(["s3cret", "http://u:s3cret@h", "http://u:s3cret@h h", "s3cret\n", ""]),
)
def test_whatever_stands_in_a_file_it_loads_or_is_refused_and_no_secret_is_told(
    changes: list[tuple[str, object]], form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tree = _with_secrets(FileSection)
    hidden = {place for place, setting in _settings(FileSection) if isinstance(setting, Hidden)}
    for place in hidden:
        _put(tree, place, form)
    for place, value in changes:
        told_anyway = value == "s3cret" and place not in hidden
        with suppress(KeyError, TypeError, IndexError):  # an earlier change took the way there
            _put(tree, place, "word" if told_anyway else value)
    path = tmp_path_factory.mktemp("any") / "config.yaml"
    path.write_text(yaml.safe_dump(tree), "utf-8")

    try:
        told = "\n".join(load(path, {}).warnings)
    except ConfigRefused as refused:
        told = str(refused)

    assert "s3cret" not in told


def test_the_configuration_can_be_imported_before_anything_is_patched() -> None:
    """The server's master reads it before gevent patches `ssl`; it must be quick, too."""
    names = "{'ssl', 'requests', 'urllib3', 'flask', 'gevent'}"
    modules = "loading, watching, showing, template, overriding"
    program = f"import sys; from relay.config import {modules}; print({names} & set(sys.modules))"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=20
    )

    assert done.stdout == "set()\n"


def test_relative_files_of_other_folders_load(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "config.yaml").write_text(
        "server: {listen: '127.0.0.1:1'}\nproviders: [{name: a, type: anthropic}]\n"
        "state: {dir: state}\n"
    )
    monkeypatch.chdir(tmp_path)

    assert load(Path("config.yaml"), {}).state.dir == tmp_path / "state"
