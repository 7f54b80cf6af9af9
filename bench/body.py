"""Check that a long conversation arrives byte for byte, and measure what its size costs.

    python -m bench.body [--size-kb 1000] [--calls 100]

The body is a coding session: many turns of text, tool calls and results, escapes and all. Sent
with a model that has no mapping it must arrive unchanged; with a mapped one only the bytes of the
model's value may differ. The cost is the CPU time of all the relay's processes for a large body
less that for a small one; each call has a connection of its own. Ends with 1 if a byte differs;
the CPU target is printed beside the figure, as it depends on what else the machine does.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench import call, table
from bench.cpu import cpu_s
from bench.relay_process import RelayProcess
from bench.upstream_process import UpstreamProcess

TARGET_MS: Final = 3.0
MODEL: Final = "claude-opus-5-5"
MAPPED: Final = "claude-sonnet-5-5"
SENT_INSTEAD: Final = "an-upstream/name-of-its-own"
SMALL_KB: Final = 1
LIMIT_S: Final = 30.0


def conversation(model: str, size_kb: int) -> bytes:
    """A body of about this size, written as clients write it: no spaces, not only ASCII."""
    turns: list[object] = []
    size = 0
    while size < size_kb * 1000:
        turn = _turn(len(turns))
        turns += turn
        size += len(json.dumps(turn, ensure_ascii=False))
    fields = {"model": model, "messages": turns, "max_tokens": 64, "stream": False}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _turn(number: int) -> list[object]:
    call_id = f"toolu_{number:06}"
    code = (
        f'def größe_{number}(x):\n\treturn {{"model": "{MODEL}", "n": {number}}}  # "\\\\"\n' * 20
    )
    return [
        {"role": "user", "content": f"and now part {number}, please — “as before”"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "", "signature": "c2lnbmF0dXJl" * 20},
                {"type": "tool_use", "id": call_id, "name": "Read", "input": {"path": "a.py"}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": call_id, "content": code}],
        },
    ]


async def send(port: int, body: bytes, calls: int) -> None:
    """Send it so often, one after another; every call must be answered whole."""
    sent = call.request("/v1/messages?framing=plain&trial=body", body)
    for _ in range(calls):
        one = await call.dial(port, sent, lambda *_: None)
        ending = await asyncio.wait_for(one.ending, LIMIT_S)
        if ending.status != 200 or not ending.is_complete:
            raise RuntimeError(f"the relay answered {ending}")


def differences(upstream: UpstreamProcess, port: int, size_kb: int) -> list[str]:
    """What arrived otherwise than it should have."""
    faults = []
    for model, arriving in ((MODEL, MODEL), (MAPPED, SENT_INSTEAD)):
        body = conversation(model, size_kb)
        expected = body.replace(f'"model":"{model}"'.encode(), f'"model":"{arriving}"'.encode(), 1)
        asyncio.run(send(port, body, 1))
        if upstream.body("body") != expected:
            faults.append(f"{model}: the body of {len(body)} bytes did not arrive as it should")
    return faults


def cpu_ms(relay: RelayProcess, model: str, size_kb: int, calls: int) -> float:
    """CPU milliseconds of the relay for one call."""
    body = conversation(model, size_kb)
    asyncio.run(send(relay.port, body, 3))  # the first of a kind costs more
    before = cpu_s(relay.pid)
    asyncio.run(send(relay.port, body, calls))
    return (cpu_s(relay.pid) - before) / calls * 1000


def main(arguments: Sequence[str]) -> int:
    """Check, measure and print; 0 if nothing differed."""
    where = table.machine()
    parser = argparse.ArgumentParser(prog="python -m bench.body")
    parser.add_argument("--size-kb", type=int, default=1000)
    parser.add_argument("--calls", type=int, default=100)
    options = parser.parse_args(arguments)
    mapping = {"model_mapping": {MAPPED: SENT_INSTEAD}}
    with (
        tempfile.TemporaryDirectory() as folder,
        UpstreamProcess() as upstream,
        RelayProcess(Path(folder), upstream.url, workers=1, provider=mapping) as relay,
    ):
        faults = differences(upstream, relay.port, options.size_kb)
        small = {each: cpu_ms(relay, each, SMALL_KB, options.calls) for each in (MODEL, MAPPED)}
        large = {
            each: cpu_ms(relay, each, options.size_kb, options.calls) for each in (MODEL, MAPPED)
        }
    print(f"{options.calls} calls each; {where}\n")
    size = f"{len(conversation(MODEL, options.size_kb)) / 1e6:.2f} MB, CPU ms"
    table.show(
        ["body", "small, CPU ms", size, "on top"],
        [
            [name, f"{small[each]:.2f}", f"{large[each]:.2f}", f"{large[each] - small[each]:.2f}"]
            for name, each in (("unchanged", MODEL), ("renamed", MAPPED))
        ],
    )
    print(f"\nbytes: {faults or 'as they should be'}; target: at most {TARGET_MS:.0f} ms on top")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
