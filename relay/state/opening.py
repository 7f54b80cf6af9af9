"""Opening: the store that `state.url` names."""

from pathlib import Path

from relay.secret import Secret
from relay.state.store import Store


def open_store(url: Secret, folder: Path) -> Store:
    """`lmdb:` (in `folder`), `lmdb:/path`, `redis://…`, `rediss://…` or `memory:`.

    Nothing is connected or written before the first step. Each kind's library is imported here and
    not before. Raises: `ValueError` for any other URL, `ModuleNotFoundError` with the way out where
    an extra is missing; neither quotes the URL.
    """
    kind, _, rest = url.reveal().partition(":")
    match kind:
        case "memory":
            from relay.state.memory import MemoryStore  # noqa: PLC0415

            return MemoryStore()
        case "lmdb":
            from relay.state.lmdb import LmdbStore  # noqa: PLC0415

            return LmdbStore(Path(rest) if rest else folder)
        case "redis" | "rediss":
            try:
                from relay.state.redis import RedisStore  # noqa: PLC0415
            except ModuleNotFoundError as missing:
                raise ModuleNotFoundError(
                    "state.url names a Redis: pip install 'cc-relay[redis]'", name=missing.name
                ) from missing
            return RedisStore(url)
        case _:
            raise ValueError(
                "state.url must be lmdb:, lmdb:/path, redis://…, rediss://… or memory:"
            )
