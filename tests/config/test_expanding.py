"""Variables and files in values."""

import os
from pathlib import Path

import pytest

from relay.config.expanding import MAX_FILE_BYTES, expand
from relay.secret import Secret
from tests.config.conftest import Loading, Refusing
from tests.config.files import a_file

ENVIRON = {"NAME": "value", "EMPTY": "", "ODD": "a$NAME \"quoted\": 'b'\n# ${NAME}"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${NAME}", "value"),
        ("$NAME", "value"),
        ("a${NAME}b$NAME", "avaluebvalue"),
        ("${NONE:-default}", "default"),
        ("${EMPTY:-default}", "default"),
        ("${NAME:-default}", "value"),
        ("${NONE:-}", ""),
        ("${NONE:-a:b c}", "a:b c"),
        ("${NONE}", ""),
        ("$NONE.", "."),
        ("$$", "$"),
        ("$${NAME}", "${NAME}"),
        ("$$$NAME", "$value"),
        ("$", "$"),
        ("a$", "a$"),
        ("$1 ${} ${1A} ${NAME", "$1 ${} ${1A} ${NAME"),
        ("$(NAME)", "$(NAME)"),
        ("${ODD}", ENVIRON["ODD"]),
        ("x ${file:/etc/hostname}", "x ${file:/etc/hostname}"),
    ],
)
def test_the_forms_of_a_variable(text: str, filled: str) -> None:
    assert expand({"a": [{"b": text}]}, ENVIRON, Path()).tree == {"a": [{"b": filled}]}


def test_what_is_missing_is_remembered_with_its_place() -> None:
    expanded = expand({"a": [{"b": "$NONE $EMPTY ${NONE}"}], "c": "${NO:-x}"}, ENVIRON, Path())

    assert expanded.missing == {("a", 0, "b"): ("NONE is not set", "EMPTY is empty")}


def test_keys_numbers_and_the_given_tree_are_left_alone() -> None:
    tree = {"$NAME": 1, "b": True, "c": ["$NAME"]}

    assert expand(tree, ENVIRON, Path()).tree == {"$NAME": 1, "b": True, "c": ["value"]}
    assert tree["c"] == ["$NAME"]


def test_a_file_gives_its_content_without_the_final_newline(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"$NAME two\n\n")
    (tmp_path / "dos").write_bytes(b"key\r\n")

    filled = expand({"a": f"${{file:{tmp_path}/one}}", "b": "${file:dos}"}, ENVIRON, tmp_path)

    assert filled.tree == {"a": "$NAME two\n", "b": "key"}


def test_a_file_that_cannot_be_read_is_a_fault_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"secret\xff")
    (tmp_path / "huge").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    os.mkfifo(tmp_path / "pipe")
    names = ["none", "binary", "huge", "pipe", "."]

    tree: dict[str, object] = {name: f"${{file:{name}}}" for name in names}
    faults = expand(tree, {}, tmp_path).faults

    assert [faults[(name,)].partition(": ")[2] for name in names] == [
        "No such file or directory",
        "is not UTF-8",
        f"is larger than {MAX_FILE_BYTES} bytes",
        "is not a regular file",
        "is not a regular file",
    ]


def test_a_value_that_contains_itself_is_a_fault(refusing: Refusing) -> None:
    faults = refusing(a_file(more="scenarios: &loop [*loop]"))

    assert any("is nested too deeply" in fault for fault in faults)


def test_numbers_and_switches_may_come_from_variables(loading: Loading) -> None:
    text = a_file(
        server='workers: "${WORKERS}"', more='routing: {debug: "$DEBUG", retry_ambiguous: "${A}"}'
    )

    config = loading(text, {"WORKERS": " 3 ", "DEBUG": "true", "A": "Off"})

    assert config.server.workers == 3
    assert config.routing.debug is True
    assert config.routing.retry_ambiguous is False


def test_a_number_from_an_unset_variable_names_the_variable(refusing: Refusing) -> None:
    assert refusing(a_file(server='workers: "${WORKERS}"')) == (
        'server.workers: "" is not a whole number (WORKERS is not set)',
    )


def test_a_key_with_every_odd_character_arrives_unharmed(loading: Loading) -> None:
    key = "a$b\"c:d'e\n# f ${HOME} \\"

    config = loading(a_file(provider="keys: [{key: '${K}'}]"), {"K": key})

    assert config.providers[0].keys[0].key == Secret(key)


def test_an_unset_key_is_required_for_zai_and_fine_for_anthropic(
    loading: Loading, refusing: Refusing
) -> None:
    text = a_file(provider="keys: [{key: $K}]")

    config = loading(text)

    assert config.providers[0].keys == ()
    (warning,) = config.warnings
    assert warning.startswith("providers[0].keys[0].key: K is not set, so clients need")
    assert refusing(text.replace("anthropic", "zai")) == (
        "providers[0].keys[0].key is required (K is not set)",
    )


def test_an_unset_key_beside_others_is_left_out(loading: Loading) -> None:
    config = loading(a_file(provider="keys: [{key: $K}, {key: one}]"))

    assert [key.key for key in config.providers[0].keys] == [Secret("one")]
    assert config.warnings == ("providers[0].keys[0].key: K is not set, so this key is left out",)


def test_a_value_whose_file_is_missing_has_one_fault_and_no_consequences(
    refusing: Refusing,
) -> None:
    text = a_file(
        server="listen: 0.0.0.0:1\nauth: {api_key: '${file:none}'}",
        provider="keys: [{key: '${file:none}'}]",
    ).replace("anthropic", "zai")

    assert refusing(text) == (
        "server.auth.api_key: cannot take the value from none: No such file or directory",
        "providers[0].keys[0].key: cannot take the value from none: No such file or directory",
    )


def test_a_dollar_in_a_value_that_was_meant_plainly_is_warned_about(loading: Loading) -> None:
    config = loading(a_file(provider="keys: [{key: 'sk-a$bc'}]"))

    assert config.warnings == ("providers[0].keys[0].key: bc is not set (a plain $ is written $$)",)


def test_an_unset_variable_of_a_disabled_provider_stops_nothing(loading: Loading) -> None:
    more = """
  - name: spare
    type: bedrock
    enabled: "${SWITCH:-false}"
    base_url: $NONE
    keys: [{key: "${file:/nowhere}", rpm_limit: "${LIMIT}"}]
    unknown: 1
"""
    text = a_file(provider="keys: [{key: one}]").rstrip() + more

    config = loading(text)

    assert [provider.name for provider in config.providers] == ["main"]
    assert config.warnings == ()
