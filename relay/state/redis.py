"""The store of several machines: every step is one script that Redis runs (`lua/`).

Needs Redis 5 or newer, or a program that does the same; no cluster, unless the prefix holds a hash
tag. Keys run out by themselves: windows after a minute, the rest as in `steps`. A Redis that throws
out keys for lack of memory forgets limits: `maxmemory-policy noeviction` makes it refuse instead,
which is seen.

Whether a step that was not answered has happened is not known: Redis may run it later. Then:

- `take`, `hold`: what nobody knows of is never settled or let go; it runs out by itself.
- `settle`, `let_go`: what was taken counts as claimed and runs out.
- `count`: a number is left out. `remember`: a fact begins to run later.
- `swap`: it happens only if the record is still `old`; whoever reads it next sees what it is.
"""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from relay.clock import Clock, SystemClock
from relay.secret import Secret
from relay.state.holder import THIS_PROCESS
from relay.state.redis_connection import LIMIT_S, Address, Broken
from relay.state.redis_pool import Pool
from relay.state.redis_scripts import scripts
from relay.state.resp import Refusal, Reply, word
from relay.state.store import (
    HELD_S,
    Bound,
    Claim,
    Full,
    Load,
    Looked,
    Room,
    StoreAway,
    Taken,
)

PREFIX: Final = "cc-relay:"
_LATE_S: Final = 0.03
_HELD_US: Final = round(HELD_S * 1_000_000)

# After a failover the connection may lead to the old server, and after a change of password to one
# that does not know us: a new connection may do better.
_ELSEWHERE: Final = frozenset({"READONLY", "MASTERDOWN", "NOAUTH"})


class RedisStore:
    """The steps of `Store`. Connects at the first step, in the process that takes it.

    After a fork parent and child have connections of their own. Raises: `ValueError` for a URL that
    is none.
    """

    waits = True
    """As `Store.waits`."""

    def __init__(self, url: Secret, *, prefix: str = PREFIX, clock: Clock | None = None) -> None:
        self._address = Address(url)
        self._prefix = prefix
        self._clock = clock or SystemClock()
        self._scripts = scripts()
        self._clock_key = self._key("clock")
        self._pool: Pool | None = None
        self._last = 0.0, 0.0
        """When the last step ended, and how long it took."""
        self._process = 0
        self.holder = THIS_PROCESS
        """Who takes lasting claims."""

    def take(self, choices: Sequence[Sequence[Claim]], *, by_room: bool = False) -> Taken | Full:
        """As `Store.take`."""
        keys, claimed = self._claimed(choices)
        how = [_number(int(by_room)), _number(self.holder.number), _number(_HELD_US)]
        choice, found = cast(tuple[int, int | bytes], self._run("take", keys, how + claimed))
        if choice < 0:
            return Full(float(found))
        return Taken(choice, tuple(choices[choice]), int(found))

    def rooms(self, choices: Sequence[Sequence[Claim]]) -> list[Room]:
        """As `Store.rooms`."""
        keys, claimed = self._claimed(choices)
        rooms = [found.split() for found in cast(list[bytes], self._run("rooms", keys, claimed))]
        return [
            Room(float(wait_s), (float(share), int(lasting), int(first)))
            for wait_s, share, lasting, first in rooms
        ]

    def settle(
        self, taken: Taken, amounts: Sequence[int], look: Sequence[str] = ()
    ) -> list[bytes | None]:
        """As `Store.settle`."""
        keys = [self._clock_key]
        arguments: list[bytes] = []
        for claim, amount in zip(taken.claims, amounts, strict=True):
            if amount != claim.amount:
                keys.append(self._claim_key(claim))
                arguments += map(_number, (amount - claim.amount, int(claim.lasting)))
        how = [_number(taken.second), _number(self.holder.number), _number(len(keys) - 1)]
        keys += [self._key(f"s:{name}") for name in look]
        if len(keys) == 1:
            return []
        return cast(list[bytes | None], self._run("settle", keys, how + arguments))

    def bound(self, bounds: Mapping[str, Bound]) -> None:
        """As `Store.bound`."""
        keys, arguments = [self._clock_key], []
        for name, bound in bounds.items():
            keys.append(self._key(f"w:{name}"))
            arguments += [_number(bound.left), word(repr(bound.until).encode())]
        if arguments:
            self._run("bound", keys, arguments)

    def hold(self, name: str, limit: int, ttl_s: float) -> str | None:
        """As `Store.hold`."""
        keys = [self._clock_key, self._key(f"p:{name}"), self._key(f"t:{name}")]
        arguments = [_number(limit), _number(round(ttl_s * 1_000_000))]
        token = cast(bytes | None, self._run("hold", keys, arguments))
        return token.decode() if token else None

    def held(self, name: str) -> int:
        """As `Store.held`."""
        return cast(int, self._run("held", [self._clock_key, self._key(f"p:{name}")], []))

    def let_go(self, name: str, token: str) -> None:
        """As `Store.let_go`."""
        self._run("let_go", [self._key(f"p:{name}")], [_token(token)])

    def renew(
        self, lasting: Mapping[str, int], places: Sequence[tuple[str, str]], ttl_s: float
    ) -> None:
        """As `Store.renew`."""
        keys = [self._clock_key, *(self._key(f"l:{name}") for name in lasting)]
        keys += [self._key(f"p:{name}") for name, _ in places]
        arguments = [_number(round(ttl_s * 1_000_000)), _number(self.holder.number)]
        arguments += [_number(len(lasting)), *map(_number, lasting.values())]
        arguments += [_token(token) for _, token in places]
        if len(keys) > 1:
            self._run("renew", keys, arguments)

    def count(self, name: str, step: int = 1, within: str = "") -> int:
        """As `Store.count`."""
        inside = word(within.encode("utf-8", "surrogatepass"))
        found = self._run("count", [self._key(f"c:{name}")], [_number(step), inside])
        return int(cast(bytes, found))

    def swap(self, name: str, old: bytes | None, new: bytes | None) -> bytes | None:
        """As `Store.swap`."""
        arguments = [*_optional(old), *_optional(new)]
        return cast(bytes | None, self._run("swap", [self._key(f"s:{name}")], arguments))

    def look(self, names: Sequence[str]) -> Looked:
        """As `Store.look`."""
        keys = [self._clock_key, *(self._key(f"s:{name}") for name in names)]
        now, records = cast(list[object], self._run("look", keys, []))
        return Looked(cast(int, now) / 1_000_000, cast(list[bytes | None], records))

    def loads(self, names: Sequence[str]) -> list[Load]:
        """As `Store.loads`."""
        keys = [self._clock_key, *(self._key(f"l:{name}") for name in names)]
        found = cast(list[int], self._run("loads", keys, []))
        pairs = zip(found[::2], found[1::2], strict=True)
        return [Load(count, at / 1_000_000) for count, at in pairs]

    def remember(self, facts: Mapping[str, bytes], ttl_s: float) -> None:
        """As `Store.remember`."""
        if facts:
            keys = [self._key(f"f:{name}") for name in facts]
            ttl = _number(math.ceil(ttl_s * 1000))
            self._run("remember", keys, [ttl, *map(word, facts.values())])

    def recall(self, names: Sequence[str]) -> list[bytes | None]:
        """As `Store.recall`."""
        if not names:
            return []
        keys = [self._key(f"f:{name}") for name in names]
        return cast(list[bytes | None], self._run("recall", keys, []))

    def now(self) -> float:
        """As `Store.now`."""
        return cast(int, self._run("now", [self._clock_key], [])) / 1_000_000

    def close(self) -> None:
        """Close the connections of this process. Idempotent; a step after it raises `StoreAway`."""
        self._own_pool().close()

    def _run(self, step: str, keys: Sequence[bytes], arguments: Sequence[bytes]) -> Reply:
        pool = self._own_pool()
        began = self._clock.monotonic()
        until = began + self._patience_s(began)
        connection = pool.lend(until)
        script = self._scripts[step]
        head = b"*%d\r\n" % (3 + len(keys) + len(arguments))
        words = b"".join((_number(len(keys)), *keys, *arguments))
        try:
            reply = connection.ask(head + script.by_hash + words, until)
            if isinstance(reply, Refusal) and reply.code == "NOSCRIPT":
                reply = connection.ask(head + script.whole + words, until)
        except Broken as broken:
            pool.lose(connection, str(broken))
            raise StoreAway(str(broken)) from None
        except BaseException:  # a greenlet that is killed
            pool.drop(connection)
            raise
        if not isinstance(reply, Refusal):
            pool.give_back(connection)
            now = self._clock.monotonic()
            self._last = now, now - began
            return reply
        if reply.code in _ELSEWHERE:
            pool.drop(connection)
        else:
            pool.give_back(connection)
        raise StoreAway(f"Redis answered {reply.code}")

    def _patience_s(self, now: float) -> float:
        """What this step may take: an exchange takes two, one behind the other, and its client is
        to wait `LIMIT_S` for both. After a late one the next has what that has left.
        """
        ended, took_s = self._last
        if took_s < _LATE_S or now - ended > LIMIT_S:
            return LIMIT_S
        return max(LIMIT_S - took_s, _LATE_S)

    def _own_pool(self) -> Pool:
        process = os.getpid()
        if self._pool is None or self._process != process:
            # Another process' connections are let go of, not used and not shut down.
            self._pool, self._process = Pool(self._address, self._clock), process
        return self._pool

    def _claimed(self, choices: Sequence[Sequence[Claim]]) -> tuple[list[bytes], list[bytes]]:
        """What `weigh.lua` reads: keys and arguments."""
        keys, arguments = [self._clock_key], []
        for claims in choices:
            arguments.append(_number(len(claims)))
            for claim in claims:
                keys.append(self._claim_key(claim))
                arguments += map(_number, (claim.amount, claim.limit, int(claim.lasting)))
        return keys, arguments

    def _claim_key(self, claim: Claim) -> bytes:
        return self._key(f"l:{claim.name}" if claim.lasting else f"w:{claim.name}")

    def _key(self, name: str) -> bytes:
        return word(f"{self._prefix}{name}".encode("utf-8", "surrogatepass"))


def _number(number: int) -> bytes:
    return word(b"%d" % number)


def _token(token: str) -> bytes:
    return word(token.encode("utf-8", "surrogatepass"))


def _optional(value: bytes | None) -> Iterable[bytes]:
    return (_number(0), word(b"")) if value is None else (_number(1), word(value))
