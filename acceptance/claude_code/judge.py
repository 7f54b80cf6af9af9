"""Judge two plays of one situation: each as expected, and both the same.

"The same" is meant byte for byte: the bodies and headers the upstream recorded and the results
the client printed, but for what names one run (device, agent, durations) or one connection.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from acceptance.claude_code.claude import PLACEHOLDER, Printed
from acceptance.claude_code.situations import Played, Situation
from acceptance.claude_code.upstream import Recorded
from bench.relay_process import UPSTREAM_KEY

OF_ONE_RUN: Final = re.compile(
    rb'(?<=device_id\\":\\")[0-9a-f]{64}'  # made up in each empty home
    rb"|\ba[0-9a-f]{16}\b"  # id of an agent
    rb"|(?<=duration_ms: )\d+"  # in the report of an agent
)
OF_ONE_CONNECTION: Final = frozenset(
    {"host", "connection", "content-length", "authorization", "x-api-key"}
)
COMPARED_RESULT: Final = ("type", "subtype", "is_error", "num_turns", "result", "stop_reason")


def expected(situation: Situation, played: Played) -> Iterator[str]:
    """What one play did not do as expected."""
    for run in played.printed:
        if run.exit_code != 0:
            yield f"exit code {run.exit_code}: {(run.stderr or run.stdout)[-300:]}"
    outside = [each.target for each in played.requests if each.method == "CONNECT"]
    if outside:
        yield f"called the outside: {outside}"
    for what, holds in situation.expectations.items():
        if not _holds(holds, played):
            yield f"not as expected: {what} (upstream gave {_answers(played)})"


def credentials(relayed: Played) -> Iterator[str]:
    """Where the relay let the wrong credential through."""
    for each in relayed.requests:
        if each.headers.get("x-api-key") != UPSTREAM_KEY or "authorization" in each.headers:
            yield f"{each.target}: the configured key is not the one credential"
        if PLACEHOLDER in str(each.headers) or PLACEHOLDER.encode() in each.body:
            yield f"{each.target}: the placeholder reached the upstream"


def same(direct: Played, relayed: Played) -> Iterator[str]:
    """Where the two plays differ."""
    for mine, theirs in zip(relayed.printed, direct.printed, strict=True):
        if _result(mine) != _result(theirs):
            yield f"printed {_result(mine)} instead of {_result(theirs)}"
    pairs = [_in_order(relayed), _in_order(direct)]
    if len(pairs[0]) != len(pairs[1]):
        yield f"upstream gave {_answers(relayed)} instead of {_answers(direct)}"
        return
    for mine_sent, theirs_sent in zip(*pairs, strict=True):
        yield from _different(mine_sent, theirs_sent)


def _holds(expectation: object, played: Played) -> bool:
    """An expectation that finds nothing where it looks is not met."""
    try:
        return bool(callable(expectation) and expectation(played))
    except (LookupError, TypeError, json.JSONDecodeError):
        return False


def _answers(played: Played) -> list[str]:
    return [each.answered or f"nothing to {each.target}" for each in played.requests]


def _result(printed: Printed) -> object:
    document = printed.result()
    if not document:
        return printed.stdout
    return {name: document.get(name) for name in COMPARED_RESULT}


def _in_order(played: Played) -> list[Recorded]:
    """Independent of who came first where the client sends several at once."""
    return sorted(played.requests, key=lambda each: (each.target, each.answered, _masked(each)))


def _masked(request: Recorded) -> bytes:
    return OF_ONE_RUN.sub(b"", request.body)


def _different(mine: Recorded, theirs: Recorded) -> Iterator[str]:
    if (mine.method, mine.target) != (theirs.method, theirs.target):
        yield f"{mine.method} {mine.target} instead of {theirs.method} {theirs.target}"
    ours, original = _headers(mine), _headers(theirs)
    if ours != original:
        yield f"{mine.target}: headers differ: {sorted(set(ours.items()) ^ set(original.items()))}"
    left, right = _masked(mine), _masked(theirs)
    if left != right:
        pairs = zip(left, right, strict=False)
        at = next(
            (i for i, pair in enumerate(pairs) if pair[0] != pair[1]), min(map(len, (left, right)))
        )
        yield f"{mine.target}: body differs at byte {at}: {left[at : at + 60]!r}"


def _headers(request: Recorded) -> Mapping[str, str]:
    kept = {name: text for name, text in request.headers.items() if name not in OF_ONE_CONNECTION}
    if "x-claude-code-agent-id" in kept:
        kept["x-claude-code-agent-id"] = "an agent"
    return kept
