"""How gunicorn serves the relay: its settings, made from the relay's own configuration.

Read by `gunicorn.conf.py` in the repository's root, and by `cc-relay serve` where there is no
repository (`-c python:relay.gunicorn_settings`). It runs in the master, before any worker patches
the standard library, so it imports neither `requests` nor Flask.

The numbers belong together (facts: `docs/decisions/0007-gunicorn-settings.md`).
"""

import gc
import logging
import os
import resource
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from relay.config import binding, loading, overriding
from relay.config.loading import ConfigRefused
from relay.config.model import Config
from relay.observe import logs

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

log = logging.getLogger("relay.serving")

# Idle client connections live longer than those of front proxies and SDKs (60 s); gunicorn uses
# the same time as limit for the request headers.
_KEEPALIVE_S: Final = 75
# gunicorn kills after this at the latest, when no `finally` runs. `server.drain_ms` may be raised
# by a reload, which gunicorn cannot learn of; the workers end what remains by themselves, and
# earlier (`relay.web.draining`).
_LONGEST_DRAIN_S: Final = 300
_AFTER_DRAIN_S: Final = 5
# The server's own queue: beyond it a connection waits without an answer, so the application sheds
# earlier (`Running.capacity`), and this is never reached.
_CONNECTIONS: Final = 100_000
_MAX_WORKERS: Final = 4
# As many as one worker could use: two for each of its connections.
_DESCRIPTORS: Final = 2 * _CONNECTIONS


def settings() -> dict[str, object]:
    """gunicorn's settings by name. Ends the process with the faults of a bad configuration."""
    try:
        path = loading.find(None, os.environ, Path.cwd())
        config = overriding.apply(
            loading.load(path, os.environ), overriding.from_environ(os.environ)
        )
    except ConfigRefused as refused:
        _refuse(refused)
    return of(config)


def _workers(config: Config) -> int:
    """As many as there are processors, unless what they know cannot be shared."""
    if config.state.url.matches("memory:"):
        return 1
    return min(os.cpu_count() or 1, _MAX_WORKERS)


def _refuse(refused: ConfigRefused) -> NoReturn:
    for fault in refused.faults:
        print(fault, file=sys.stderr)  # noqa: T201  there is no log yet
    raise SystemExit(1)


def of(config: Config) -> dict[str, object]:
    """The settings for one configuration."""
    return {
        "bind": [config.server.listen],
        "workers": config.server.workers or _workers(config),
        "worker_class": "gevent",
        "worker_connections": _CONNECTIONS,
        "backlog": 2048,
        "keepalive": _KEEPALIVE_S,
        "timeout": 30,
        "graceful_timeout": max(config.server.drain_ms // 1000, _LONGEST_DRAIN_S) + _AFTER_DRAIN_S,
        "max_requests": 0,
        "preload_app": False,
        "http_protocols": "h1",
        "control_socket_disable": True,
        "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108, PTH112
        "accesslog": None,
        # Nobody's forwarding headers are believed, and so nobody's address is parsed to find out
        # (18 µs a request).
        "forwarded_allow_ips": "*",
        "secure_scheme_headers": {},
        "forwarder_headers": "",
        "loglevel": "warning",
        "proc_name": "cc-relay",
        "on_starting": partial(_on_starting, config),
        "when_ready": partial(_when_ready, config),
        "on_exit": _on_exit,
        "post_worker_init": _post_worker_init,
    }


def _on_starting(config: Config, arbiter: "Arbiter") -> None:
    """Before a socket is open: gunicorn's own `--bind` may be wider than the file."""
    binds = [_text(address) for address in arbiter.cfg.address]
    bound = binding.widest(binds, config.server.listen)
    try:
        binding.apply(config, bound)
    except ConfigRefused as refused:
        _refuse(refused)
    os.environ[binding.VARIABLE] = bound
    _raise_descriptor_limit()
    arbiter.handle_int = arbiter.handle_term  # Ctrl-C drains like SIGTERM (behaviour 13.2)


def _raise_descriptor_limit() -> None:
    """A shell's usual 1024 are for programs that use `select`; the workers inherit what stands."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < limit:
        with suppress(ValueError, OSError):  # a kernel may allow less than its hard limit says
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def _text(address: object) -> str:
    match address:
        case (str(host), int(port)):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case str():
            return f"unix:{address}"
        case _:  # a descriptor that was handed over: whoever opened it decided
            return "unix:"


def _when_ready(config: Config, arbiter: "Arbiter") -> None:
    how = config.logging
    logs.configure(level=how.level, format=how.format, output=how.output)
    listen = [str(listener) for listener in arbiter.LISTENERS]
    fields = {"listen": listen, "workers": arbiter.num_workers, "config": str(config.path)}
    log.info("started", extra={"fields": fields})


def _on_exit(_arbiter: "Arbiter") -> None:
    log.info("stopped")


def _post_worker_init(worker: "Worker") -> None:
    # Only here, after the worker has patched the standard library.
    from relay.web import connections, draining, malformed, serve  # noqa: PLC0415

    # What is loaded now stays: the collector need not look at it again. How often it looks is left
    # as it is: exchanges do hold cycles, and collecting late keeps their bodies, a megabyte each.
    gc.collect()
    gc.freeze()
    worker.handle_error = malformed.answered_here(worker)
    worker.handle_request = serve.Server(worker).handle_request
    draining.follow(worker, connections.Connections(worker))
