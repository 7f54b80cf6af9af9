"""Play Claude Code through every situation, directly and through the relay, and compare.

    python -m acceptance.claude_code.run [--direct] [--only WORD]

Prints a line a situation and ends with 1 if any failed. `--direct` leaves the relay out: it shows
whether the scripts still fit the client.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from acceptance.claude_code import judge
from acceptance.claude_code.claude import Claude
from acceptance.claude_code.install import VERSION, install
from acceptance.claude_code.situations import SITUATIONS, Played, Situation
from acceptance.claude_code.upstream import ScriptedUpstream
from bench.relay_process import RelayProcess


def main(arguments: Sequence[str]) -> int:
    """Play everything; 0 if all of it passed."""
    options = _options(arguments)
    program = install()
    chosen = [each for each in SITUATIONS if options.only in each.name]
    upstream = ScriptedUpstream()
    with tempfile.TemporaryDirectory(prefix="claude-code-") as folder:
        stage = Stage(program, Path(folder), upstream)
        try:
            failed = _play_all(stage, chosen, is_relayed=not options.direct)
        finally:
            upstream.close()
    print(f"Claude Code {VERSION}: {len(chosen) - failed} of {len(chosen)} situations passed")
    return 1 if failed or not chosen else 0


class Stage:
    """Where a situation is played: the client, the upstream and a folder for both."""

    def __init__(self, program: Path, folder: Path, upstream: ScriptedUpstream) -> None:
        self.folder = folder
        self.upstream = upstream
        self._program = program

    def play(self, situation: Situation, base_url: str) -> Played:
        """One play from an empty home; the same paths each time, as they enter the prompt."""
        play = self.upstream.play(situation.script)
        client = Claude(self._program, self.folder / "home", base_url, self.upstream.url)
        printed = [client.run(arguments) for arguments in situation.runs]
        return Played(printed, tuple(play.requests))


def _play_all(stage: Stage, situations: Sequence[Situation], *, is_relayed: bool) -> int:
    if not is_relayed:
        return sum(_report(each, _direct_faults(stage, each)) for each in situations)
    folder = stage.folder / "relay"
    folder.mkdir()
    with RelayProcess(folder, stage.upstream.url) as relay:
        failed = sum(_report(each, _faults(stage, each, relay)) for each in situations)
        if failed:
            print(f"the relay's log ends:\n{relay.log()[-4000:]}", file=sys.stderr)
    return failed


def _direct_faults(stage: Stage, situation: Situation) -> list[str]:
    return list(judge.expected(situation, stage.play(situation, stage.upstream.url)))


def _faults(stage: Stage, situation: Situation, relay: RelayProcess) -> list[str]:
    direct = stage.play(situation, stage.upstream.url)
    relayed = stage.play(situation, relay.url)
    return [
        *(f"directly: {fault}" for fault in judge.expected(situation, direct)),
        *(f"relayed: {fault}" for fault in judge.expected(situation, relayed)),
        *judge.credentials(relayed),
        *judge.same(direct, relayed),
    ]


def _report(situation: Situation, faults: Sequence[str]) -> bool:
    print(f"{'FAIL' if faults else 'pass'}  {situation.name}", flush=True)
    for fault in faults:
        print(f"      {fault}", flush=True)
    return bool(faults)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m acceptance.claude_code.run")
    parser.add_argument("--direct", action="store_true", help="leave the relay out")
    parser.add_argument("--only", default="", metavar="WORD", help="situations with this word")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
