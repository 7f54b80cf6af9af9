"""What a log line looks like, where it goes, and what never stops an exchange."""

import json
import logging
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from relay.observe import layout, logs
from relay.observe.redact import Redactor
from relay.secret import Secret

ROOT = Path(__file__).parents[2]

log = logging.getLogger("relay.test")


def configure(output: Path | str, **settings: Any) -> None:
    logs.configure(**{"level": "info", "format": "json", "output": str(output), **settings})


def lines(output: Path) -> list[str]:
    return output.read_text().splitlines()


def documents(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(output)]


def test_json_is_one_object_a_line_with_level_time_message_and_fields(output: Path) -> None:
    configure(output)

    log.warning("key rests", extra={"fields": {"provider": "p", "n": 1, "until": None}})

    (document,) = documents(output)
    assert document.pop("time").endswith("Z")
    assert document == {"level": "warn", "message": "key rests", "provider": "p", "n": 1}


def test_arguments_that_do_not_fit_the_message_are_no_error(output: Path) -> None:
    configure(output)

    log.handle(log.makeRecord("relay.test", logging.INFO, "f", 1, "%d of %d", ("one",), None))

    assert documents(output)[0]["message"] == "%d of %d"


def test_levels_below_the_configured_one_are_silent(output: Path) -> None:
    configure(output, level="warn")

    log.info("unheard")
    log.warning("heard")

    assert [document["message"] for document in documents(output)] == ["heard"]


@pytest.mark.parametrize("format", ["json", "console"])
def test_configured_secrets_and_credentials_are_redacted_wherever_they_stand(
    output: Path, format: str
) -> None:
    configure(output, format=format, secrets=[Secret('pass"phrase'), Secret("")])

    log.info(
        'message pass"phrase',
        extra={"fields": {"a": 'pass"phrase', "b": ['x pass"phrase'], "c": "Bearer tok-1"}},
    )
    try:
        raise ValueError('inside pass"phrase and sk-abc')  # noqa: TRY301  something to log
    except ValueError:
        log.exception("failed")

    text = output.read_text()
    for part in ("phrase", "tok-1", "sk-abc"):
        assert part not in text
    assert "ValueError: inside [redacted] and [redacted]" in text
    assert "Traceback" in text


def test_a_secret_made_of_json_syntax_leaves_the_line_readable(output: Path) -> None:
    configure(output, secrets=[Secret("1"), Secret("level"), Secret('":"')])

    log.info("level", extra={"fields": {"n": 1, "level": "1"}})

    (document,) = documents(output)
    assert (document["level"], document["message"], document["n"]) == ("info", "[redacted]", 1)


def test_configuring_again_replaces_the_output_and_never_doubles_a_line(
    output: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.log"
    configure(output)
    configure(output)
    log.info("first")
    configure(other)

    log.info("second")

    assert [document["message"] for document in documents(output)] == ["first"]
    assert [document["message"] for document in documents(other)] == ["second"]


def test_configuring_again_leaves_no_descriptor_behind(output: Path) -> None:
    configure(output)
    before = len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(20):
        configure(output)

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_is_appended_to_and_only_its_owner_can_read_it(output: Path) -> None:
    configure(output)
    log.info("one")
    configure(output)
    log.info("two")

    assert len(lines(output)) == 2
    assert output.stat().st_mode & 0o777 == 0o600


def test_an_output_that_cannot_be_opened_is_reported_on_stderr(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    configure(tmp_path / "missing" / "relay.log")
    log.info("still heard")

    first, second = (json.loads(line) for line in capfd.readouterr().err.splitlines())
    assert first["level"] == "error"
    assert first["reason"] == "No such file or directory"
    assert second["message"] == "still heard"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_the_standard_streams_can_be_chosen(stream: str, capfd: pytest.CaptureFixture[str]) -> None:
    configure(stream, format="")

    log.info("heard")

    captured = capfd.readouterr()
    text = captured.out if stream == "stdout" else captured.err
    assert json.loads(text)["message"] == "heard"


def test_a_full_disk_stops_nobody() -> None:
    configure("/dev/full")

    log.error("nobody hears this", extra={"fields": {"a": 1}})


def test_an_output_that_nobody_reads_any_more_stops_nobody() -> None:
    reader, writer = os.pipe()
    handler = logs.LineHandler(writer, layout.json_line, Redactor())
    os.close(reader)

    handler.handle(log.makeRecord("relay.test", logging.INFO, "f", 1, "m", (), None))

    handler.close()
    os.close(writer)


def test_after_a_line_that_was_cut_the_next_one_begins_on_a_new_line() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    handler = logs.LineHandler(writer, layout.json_line, Redactor())

    def say(message: str) -> None:
        handler.handle(log.makeRecord("relay.test", logging.INFO, "f", 1, message, (), None))

    say("x" * 200_000)  # more than a pipe holds
    os.read(reader, 1 << 20)
    say("after")

    _, line, end = os.read(reader, 1 << 20).decode().split("\n")
    assert (json.loads(line)["message"], end) == ("after", "")
    for fd in (reader, writer):
        os.close(fd)


def test_a_terminal_gets_colours_and_a_console_line_unless_asked_otherwise() -> None:
    def spoken(format: str, **env: str) -> str:
        terminal, program = pty.openpty()
        try:
            subprocess.run(
                [sys.executable, "-c", SPEAK, format],
                stdout=program,
                env={"PYTHONPATH": str(ROOT), **env},
                timeout=20,
                check=True,
            )
            return os.read(terminal, 4096).decode()
        finally:
            os.close(terminal)
            os.close(program)

    assert "\x1b[33mWRN\x1b[0m heard \x1b[2ma=\x1b[0m1" in spoken("")
    assert "WRN heard a=1" in spoken("console", NO_COLOR="1")
    assert json.loads(spoken("json"))["message"] == "heard"


SPEAK = """
import logging, sys
from relay.observe import logs
logs.configure(level="info", format=sys.argv[1], output="stdout")
logging.getLogger("relay.x").warning("heard", extra={"fields": {"a": 1}})
"""

WORKER = """
import logging, sys
from relay.observe import logs
logs.configure(level="info", format="json", output=sys.argv[1])
for n in range(200):
    logging.getLogger("relay.x").info("m", extra={"fields": {"n": n, "pad": sys.argv[2] * 6000}})
"""


def test_lines_of_several_processes_do_not_mix(output: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(output), mark], env={"PYTHONPATH": str(ROOT)}
        )
        for mark in "abc"
    ]
    for worker in workers:
        assert worker.wait(30) == 0

    found = documents(output)
    assert len(found) == 600
    assert all(len(set(document["pad"])) == 1 for document in found)
