"""Opening: the store that `state.url` names."""

from pathlib import Path

from relay.secret import Secret
from relay.state.store import Store


def lmdb_folder(url: Secret, state_dir: Path) -> Path | None:
    """Where the embedded store is, or will be; None for another kind."""
    kind, _, rest = url.reveal().partition(":")
    if kind != "lmdb":
        return None
    return Path(rest) if rest else state_dir / "store"


def open_store(url: Secret, state_dir: Path) -> Store:
    """`lmdb:` (in `store` in `state_dir`), `lmdb:/path`, `redis://…`, `rediss://…` or `memory:`.

    Nothing is connected or written before the first step. Each kind's library is imported here and
    not before. Raises: `ValueError` for any other URL, `ModuleNotFoundError` with the way out where
    an extra is missing; neither quotes the URL.
    """
    kind = url.reveal().partition(":")[0]
    match kind:
        case "memory":
            from relay.state.memory import MemoryStore  # noqa: PLC0415

            return MemoryStore()
        case "lmdb":
            from relay.state.lmdb import LmdbStore  # noqa: PLC0415

            return LmdbStore(lmdb_folder(url, state_dir) or state_dir)
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
