"""One value is changed, every other byte stays."""

import json
import time
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.messages import edit

SPACES: Final = st.text(" \t\r\n", max_size=3)
SCALARS: Final = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES: Final = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=4
)


@st.composite
def written_objects(draw: st.DrawFn) -> tuple[bytes, dict[str, bytes]]:
    """A JSON object with free spacing, and each of its values as it is written."""
    values = draw(st.dictionaries(st.text(), VALUES, max_size=4))
    written: dict[str, bytes] = {}
    pairs = []
    for name, value in values.items():
        ascii_only = draw(st.booleans())
        raw = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "replace")
        key = json.dumps(name, ensure_ascii=draw(st.booleans())).encode("utf-8", "replace")
        written[name] = raw
        around = [draw(SPACES).encode() for _ in range(4)]
        pairs.append(around[0] + key + around[1] + b":" + around[2] + raw + around[3])
    ends = [draw(SPACES).encode() for _ in range(2)]
    return ends[0] + b"{" + b",".join(pairs) + b"}" + ends[1], written


@given(written_objects())
def test_every_value_is_found_as_it_is_written(case: tuple[bytes, dict[str, bytes]]) -> None:
    body, written = case

    found = edit.members(body)

    assert found is not None
    assert {name: found.get(name) for name in written} == written
    assert len(found.spans) == len(written)


@given(written_objects(), st.text(), st.data())
def test_a_rename_changes_only_that_value(
    case: tuple[bytes, dict[str, bytes]], renamed: str, choice: st.DataObject
) -> None:
    body, written = case
    found = edit.members(body)
    assert found is not None
    name = choice.draw(st.sampled_from(sorted(written))) if written else None
    span = found.span(name) if name is not None else None
    if span is None:
        assert not written
        return

    edited = edit.replace(body, span, edit.string_json(renamed))

    assert edited[: span[0]] == body[: span[0]]
    assert edited[len(edited) - len(body) + span[1] :] == body[span[1] :]
    assert json.loads(edited) == {**json.loads(body), name: renamed}


def test_an_escaped_key_is_the_key_it_spells() -> None:
    found = edit.members(b'{"mod\\u0065l": "claude", "a\\"}{,\\\\": [1]}')

    assert found is not None
    assert found.get("model") == b'"claude"'
    assert found.get('a"}{,\\') == b"[1]"


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","model":"a","y": [1]}',
        b'{"model":"a","x":1,"model":"b","y": [1] }',
        b'{"y": [1], "model":"a","mod\\u0065l":"a"}',
        b'{"model":{"model":1,"]":"}"},"y": [1],"model":"a"}',
        b'{"model":12,"x":"}","model":1,"y": [1]}',
    ],
)
def test_a_key_that_stands_twice_is_no_member_and_the_others_are(body: bytes) -> None:
    found = edit.members(body)

    assert found is not None
    assert found.span("model") is None
    assert found.get("y") == b"[1]"


@given(st.lists(st.tuples(st.sampled_from("abc"), VALUES), max_size=6))
def test_keys_that_stand_once_are_found_among_those_that_stand_twice(
    pairs: list[tuple[str, object]],
) -> None:
    text = ", ".join(f"{json.dumps(name)} : {json.dumps(value)}" for name, value in pairs)
    names = [name for name, _ in pairs]

    found = edit.members(f"{{{text}}}".encode())

    assert found is not None
    once = {name: value for name, value in pairs if names.count(name) == 1}
    assert {name: json.loads(found.get(name) or b"") for name in found.spans} == once


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b'"{}"',
        b'{"a":1',
        b'{"a":1}x',
        b'{"a":1,}',
        b'{"a":nan}',
        b'{"a":01}',
        b'{"a":"\\q"}',
        b'{"a":"\\ud8"}',
        b'{"\xff":1}',
        b'\xef\xbb\xbf{"a":1}',
        b"{'a':1}",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"[" * 100_000,
    ],
)
def test_what_is_no_json_object_is_not_readable(body: bytes) -> None:
    assert edit.members(body) is None


def test_integers_of_any_size_keep_their_digits() -> None:
    huge = b"9" * 5000

    found = edit.members(b'{"n":' + huge + b',"m":-1e999}')

    assert found is not None
    assert found.get("n") == huge
    assert found.get("m") == b"-1e999"


def test_half_a_character_in_a_text_does_not_hide_the_model() -> None:
    body = b'{"messages":["cut \\uD83d", "\\ud83d\\ude00"],"model":"claude","x":"\\\\ud800"}'

    found = edit.members(body)

    assert found is not None
    assert found.string("model") == "claude"
    assert found.get("messages") == b'["cut \\uD83d", "\\ud83d\\ude00"]'


def test_a_string_is_read_and_anything_else_is_none() -> None:
    found = edit.members(b'{"model":"cl\\u0061ude","n":1,"half":"\\ud800","list":["a"]}')

    assert found is not None
    assert found.string("model") == "claude"
    assert [found.string(name) for name in ("n", "half", "list", "absent")] == [None] * 4


def test_an_absent_member_has_no_place() -> None:
    found = edit.members(b" {} \n")

    assert found is not None
    assert found.get("model") is None
    assert found.span("model") is None


def test_a_megabyte_is_read_in_a_few_milliseconds() -> None:
    text = "def f(x):\n    return \"x\" + 'é'\n" * 40
    body = json.dumps({"messages": [text] * 900, "model": "claude"}, ensure_ascii=False).encode()
    assert len(body) > 1_000_000

    took_s = min(_timed(body) for _ in range(5))

    assert took_s < 0.01  # 0.8 ms on an idle machine; the limit stands on a busy one


def _timed(body: bytes) -> float:
    began = time.process_time()
    assert edit.members(body) is not None
    return time.process_time() - began


@given(st.lists(VALUES, max_size=5), st.data())
def test_every_element_is_found_and_some_are_taken_out(
    values: list[object], choice: st.DataObject
) -> None:
    compact = choice.draw(st.booleans())
    raws = [json.dumps(value).encode() for value in values]
    blanks = [b"" if compact else choice.draw(SPACES).encode() for _ in range(2 * len(raws) + 1)]
    inner = b",".join(blanks[2 * at] + raw + blanks[2 * at + 1] for at, raw in enumerate(raws))
    body = b'{"a": [' + inner + (blanks[-1] if not raws else b"") + b"]}"
    out = choice.draw(st.sets(st.sampled_from(range(len(raws))))) if raws else set()

    found = edit.members(body)
    assert found is not None
    spans = found.elements("a")
    left = edit.edited(body, edit.without(spans, out))

    assert [body[start:end] for start, end in spans] == raws
    assert json.loads(left) == {"a": [value for at, value in enumerate(values) if at not in out]}


def test_elements_are_found_around_half_a_character() -> None:
    body = b'{"a": [ "\\ud83d" ,{"b":"\\udE00"}], "c": 1}'
    found = edit.members(body)
    assert found is not None

    assert [body[start:end] for start, end in found.elements("a")] == [
        b'"\\ud83d"',
        b'{"b":"\\udE00"}',
    ]
    assert found.elements("c") == found.elements("d") == ()


@given(written_objects(), st.data())
def test_members_are_taken_out_with_their_keys(
    case: tuple[bytes, dict[str, bytes]], choice: st.DataObject
) -> None:
    body, written = case
    found = edit.members(body)
    assert found is not None
    out = choice.draw(st.sets(st.sampled_from(sorted(written)))) if written else set()

    pairs = edit.pairs(found)
    places = [place for place, (name, _) in enumerate(pairs) if name in out]
    left = edit.edited(body, edit.without([span for _, span in pairs], places))

    assert [name for name, _ in pairs] == list(found.spans)
    assert json.loads(left) == {
        name: value for name, value in json.loads(body).items() if name not in out
    }


def test_a_member_is_taken_out_from_among_those_that_stand_twice() -> None:
    body = b'{"a":{"x":[1]},"b" : 2,"a":3,"c":4}'
    found = edit.members(body)
    assert found is not None

    pairs = edit.pairs(found)

    assert [name for name, _ in pairs] == [None, "b", None, "c"]
    assert edit.edited(body, edit.without([span for _, span in pairs], {1, 3})) == (
        b'{"a":{"x":[1]},"a":3}'
    )
