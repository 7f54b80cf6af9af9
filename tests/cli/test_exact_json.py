"""JSON that is read and written again without losing anything."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.cli.exact_json import NotJson, Number, parse, serialize

documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Half pairs are what JSON can say and UTF-8 cannot.
    | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=20,
)


@given(documents)
def test_what_is_written_says_the_same_in_the_same_order(document: object) -> None:
    written = serialize(parse(json.dumps(document)))

    assert json.dumps(json.loads(written)) == json.dumps(document)
    assert serialize(parse(written)) == written
    written.encode()


@given(documents)
def test_the_layout_is_that_of_two_spaces_of_indent(document: object) -> None:
    plain = json.dumps(document, ensure_ascii=False, indent=2) + "\n"

    written = serialize(parse(json.dumps(document)))

    assert written == plain.encode("utf-8", "backslashreplace").decode()


@pytest.mark.parametrize(
    "number", ["9" * 5000, "-0", "-0.0", "1e400", "1E5", "0.1000", "123456789012345678901234567890"]
)
def test_numbers_keep_their_text(number: str) -> None:
    assert parse(number) == Number(number)
    assert serialize(parse(f"[{number}]")) == f"[\n  {number}\n]\n"


def test_text_is_not_escaped_but_for_what_utf_8_has_not() -> None:
    assert serialize(parse('"\\u00fc \\ud83d\\ude00 \\ud800"')) == '"ü 😀 \\ud800"\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1, column 1"),
        ('{"a": 1,}', "line 1, column"),
        ('// a comment\n{"a": 1}', "line 1, column 1"),
        ('{"a": 1}\n{}', "line 2, column 1"),
        ('{"b": {"a": 1, "a": 2}}', '"a" stands twice'),
        ("[NaN]", "NaN is no JSON value"),
        ("[-Infinity]", "-Infinity is no JSON value"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 600 + "]" * 600, "nested too deeply"),
    ],
)
def test_what_could_not_be_kept_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(NotJson, match=why):
        parse(text)
