"""`demo`: the relay with a made-up provider, to try without an account.

Both run as processes on free ports of loopback, with configuration and state in a temporary
folder; Ctrl-C, an error or the end of this process ends them and removes the folder.
"""

import contextlib
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import click

from relay.cli import status
from relay.cli.asking import Deadline, NoAnswer
from relay.cli.children import Children
from relay.cli.options import config_option
from relay.cli.refused import Refused
from relay.cli.status import NotTheRelay
from relay.clients.credential import PLACEHOLDER
from relay.config.addresses import Listen

_START_S: Final = 30.0
_ANSWER_S: Final = 30.0
_PAUSE_S: Final = 0.1
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_QUESTION: Final = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 1024,
    "stream": True,
    "messages": [{"role": "user", "content": "What is a relay?"}],
}


@click.command
@config_option
@click.option("--once", is_flag=True, help="Ask the question here, print the answer, and end.")
def demo(*, once: bool) -> None:
    """Try the relay without any account.

    Starts it with a made-up provider and prints a request to paste.
    """
    with (
        ending() as ended,
        tempfile.TemporaryDirectory(prefix="cc-relay-demo-") as folder,
        Children() as children,
    ):
        click.echo("starting the relay and a made-up provider ...", err=True)
        peer = Listen("127.0.0.1", _free_port())
        relay = _started(children, Path(folder), peer.port)
        if not _is_ready(peer, relay, ended):
            return
        click.echo(_invitation(peer.port))
        if once:
            _ask(peer.port, ended)
            return
        while not ended.wait(_PAUSE_S):
            _check(relay)


@contextlib.contextmanager
def ending() -> Iterator[threading.Event]:
    """An event that a signal sets. No exception is thrown into the middle of starting or ending."""
    ended = threading.Event()
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in _SIGNALS}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _started(children: Children, folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start both; the relay's log goes to our stderr."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CC_RELAY_", "GUNICORN_"))  # they are about another relay
    }
    upstream = children.start(
        [sys.executable, "-m", "relay.demo.upstream"], environ, subprocess.PIPE
    )
    config = folder / "config.yaml"
    config.write_text(json.dumps(_config(_address_of(upstream), port, folder)), "utf-8")
    argv = [sys.executable, "-m", "relay.cli", "--config", str(config), "serve"]
    return children.start(argv, environ, 2)


def _config(upstream: str, port: int, folder: Path) -> Mapping[str, object]:
    """JSON is YAML, too."""
    return {
        "server": {"listen": f"127.0.0.1:{port}", "workers": 1, "drain_ms": 1000},
        "providers": [
            {
                "name": "demo",
                "type": "anthropic",
                "base_url": f"http://{upstream}",
                "keys": [{"key": "made-up"}],
            }
        ],
        "logging": {"output": "stderr", "format": "console"},
        "state": {"dir": str(folder / "state")},
    }


def _address_of(upstream: subprocess.Popen[bytes]) -> str:
    pipe = upstream.stdout
    line = pipe.readline() if pipe and select.select([pipe], [], [], _START_S)[0] else b""
    if not line.endswith(b"\n"):
        raise Refused(f"the made-up provider did not start within {_START_S:.0f} s")
    return line.decode().strip()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _is_ready(peer: Listen, relay: subprocess.Popen[bytes], ended: threading.Event) -> bool:
    """Wait for the relay. False if we were ended meanwhile."""
    deadline = Deadline.within(_START_S)
    while not ended.wait(_PAUSE_S):
        _check(relay)
        with contextlib.suppress(NoAnswer, NotTheRelay):
            if not status.look(peer, Deadline.within(1)).reasons:
                return True
        try:
            deadline.left_s()
        except TimeoutError as error:
            raise Refused(f"the relay is not ready after {_START_S:.0f} s") from error
    return False


def _check(relay: subprocess.Popen[bytes]) -> None:
    code = relay.poll()
    if code is not None:
        raise Refused(f"the relay ended by itself (exit code {code}); its log says why")


def _invitation(port: int) -> str:
    url = f"http://127.0.0.1:{port}"
    return (
        f"cc-relay is running ({url}) with a made-up provider. In another terminal:\n\n"
        f"  curl -sN{_past_proxies()} {url}/v1/messages -H 'content-type: application/json' "
        f"-d '{json.dumps(_QUESTION)}'\n\n"
        "or with Claude Code:\n\n"
        f"  ANTHROPIC_BASE_URL={url} ANTHROPIC_AUTH_TOKEN={PLACEHOLDER} claude\n\n"
        "Ctrl-C ends it."
    )


def _past_proxies() -> str:
    """What keeps curl from asking a proxy of the user's for our loopback address."""
    return (
        " --noproxy 127.0.0.1" if {"http_proxy", "all_proxy", "ALL_PROXY"} & set(os.environ) else ""
    )


def _ask(port: int, ended: threading.Event) -> None:
    """Send the request that was printed, and print its answer line by line as it comes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)
    deadline = Deadline.within(_ANSWER_S)
    try:
        headers = {"content-type": "application/json"}
        connection.request("POST", "/v1/messages", json.dumps(_QUESTION), headers)
        response = connection.getresponse()
        while (line := response.readline()) and not ended.is_set():
            click.echo(line.decode(), nl=False)
            deadline.left_s()
    except (OSError, http.client.HTTPException) as error:
        raise Refused(f"the answer did not come whole: {str(error) or 'too slow'}") from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise Refused(f"the relay answered with status {response.status}")
