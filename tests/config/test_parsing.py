"""Parsing: what is refused before a single key is looked at, and how it is told."""

from pathlib import Path

import pytest

from relay.config.parsing import MAX_FILE_BYTES, Unreadable, parse


def _refused(folder: Path, content: str | bytes, name: str = "config.yaml") -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(Unreadable) as caught:
        parse(path)
    return str(caught.value)


def test_another_format_is_refused_with_the_supported_ones(tmp_path: Path) -> None:
    expected = 'unsupported config format ".json" (supported: .yaml, .yml, .toml)'

    assert _refused(tmp_path, "{}", "config.json") == expected


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n"])
def test_an_empty_file_is_told_to_be_empty(tmp_path: Path, content: str) -> None:
    assert _refused(tmp_path, content).startswith("the file is empty")


def test_an_empty_toml_file_is_told_to_be_empty(tmp_path: Path) -> None:
    assert _refused(tmp_path, "", "config.toml").startswith("the file is empty")


@pytest.mark.parametrize("content", ["- a\n- b\n", "text\n", "12\n"])
def test_a_top_level_that_is_no_mapping_is_refused(tmp_path: Path, content: str) -> None:
    assert _refused(tmp_path, content).startswith("the top level must be a mapping")


def test_a_file_that_is_not_utf8_is_refused_with_the_line(tmp_path: Path) -> None:
    assert _refused(tmp_path, b"a: 1\nb: \xe4\n") == "line 2: is not UTF-8 (byte 0xe4)"


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert parse(path) == {"a": 1}


def test_a_key_given_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    fault = _refused(tmp_path, "server:\n  workers: 1\n  debug: no\n  workers: 2\n")

    assert fault.startswith('line 4, column 3: the key "workers" is given twice (first on line 2)')


def test_a_key_given_twice_on_one_line_is_refused(tmp_path: Path) -> None:
    assert "given twice" in _refused(tmp_path, "server: {workers: 1, workers: 1}\n")


def test_a_merge_may_be_overridden(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: &a {x: 1, y: 1}\nb: {<<: *a, x: 2}\n")

    assert parse(path)["b"] == {"x": 2, "y": 1}


def test_broken_yaml_is_refused_with_line_column_and_the_line(tmp_path: Path) -> None:
    fault = _refused(tmp_path, "server:\n  listen: [1\n  workers: 2\n")

    assert fault.startswith("line 3, column")
    assert fault.endswith("in `workers: 2`")


def test_a_variable_without_quotes_in_a_flow_mapping_is_told_the_way_out(tmp_path: Path) -> None:
    fault = _refused(tmp_path, "keys:\n  - {key: ${NAME}}\n")

    assert fault.endswith("(inside { } and [ ] a ${NAME} must stand in quotes)")
    assert "must stand in quotes" not in _refused(tmp_path, "a: [1\nb: 2\n")


def test_broken_toml_is_refused_with_line_and_column(tmp_path: Path) -> None:
    fault = _refused(tmp_path, "[server]\nworkers = = 2\n", "config.toml")

    assert "at line 2, column" in fault
    assert "in `workers = = 2`" in fault


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", 'keys:\n  - key: "sk-hidden" trailing\n'),
        ("config.yaml", "api_key: sk-hidden: more\n"),
        ("config.yaml", "base_url: http://user:sk-hidden@host: x\n"),
        ("config.yaml", "x: !!int sk-hidden\n"),
        ("config.yaml", "x: !!bool sk-hidden\n"),
        ("config.yaml", "x: !!timestamp sk-hidden\n"),
        ("config.toml", 'key = "sk-hidden" more\n'),
        ("config.toml", "key = sk-hidden\n"),
    ],
)
def test_no_part_of_a_broken_line_that_may_hold_a_secret_is_told(
    tmp_path: Path, name: str, content: str
) -> None:
    assert "hidden" not in _refused(tmp_path, content, name)


def test_a_tag_that_would_build_an_object_is_refused(tmp_path: Path) -> None:
    assert "line 1" in _refused(tmp_path, "a: !!python/object/apply:os.system [echo]\n")


def test_a_file_nested_without_end_is_refused(tmp_path: Path) -> None:
    toml = _refused(tmp_path, "a = " + "[" * 20_000, "config.toml")

    assert "nested too deeply" in toml
    assert "nesting" in _refused(tmp_path, "a: " + "[" * 20_000)


def test_a_folder_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(Unreadable, match="is not a regular file"):
        parse(tmp_path / "folder.yaml")

    assert "is larger than" in _refused(tmp_path, b"#" * (MAX_FILE_BYTES + 1))
