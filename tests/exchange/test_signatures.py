"""Who issued a thinking block: a memory with a bound (behaviour 11.1)."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from relay.config.model import SignaturesConfig
from relay.exchange import signatures
from relay.messages.digest import of_signature
from relay.state.lmdb import LmdbStore
from relay.state.memory import MemoryStore
from tests.exchange.conftest import Drive
from tests.exchange.driving import Driven, LeapingClock, close
from tests.scripted import messages
from tests.scripted.answers import streams
from tests.scripted.client import STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream

A = ("A", "claude")
FEW = SignaturesConfig(ttl_ms=60_000, max_entries=5)


def blocks(*numbers: int) -> list[bytes]:
    """What tells these blocks from others."""
    return [hashlib.sha256(b"%d" % number).digest() for number in numbers]


@pytest.fixture
def clock() -> LeapingClock:
    return LeapingClock()


@pytest.fixture
def store(clock: LeapingClock) -> MemoryStore:
    return MemoryStore(clock)


def remembered(store: MemoryStore | LmdbStore, most: int = 40) -> list[int]:
    """Which blocks of `most` are."""
    numbers = {blocks(number)[0]: number for number in range(most)}
    return [number for digest, number in numbers.items() if signatures.issuers(store, [digest])]


def test_those_that_are_remembered_are_told_from_those_that_are_not(store: MemoryStore) -> None:
    signatures.remember(store, blocks(1, 2), A, FEW)
    signatures.remember(store, blocks(3), ("é B", "b"), FEW)

    one, two, three, four = blocks(1, 2, 3, 4)

    assert signatures.issuers(store, [four, three, two, one]) == {
        one: A,
        two: A,
        three: ("é B", "b"),
    }
    assert signatures.issuers(store, []) == {}


def test_the_oldest_go_first_when_there_are_too_many(store: MemoryStore) -> None:
    for number in range(13):
        signatures.remember(store, blocks(number), A, FEW)

        assert remembered(store) == list(range(max(number - 4, 0), number + 1))


def test_several_blocks_of_one_answer_push_out_as_many(store: MemoryStore) -> None:
    signatures.remember(store, blocks(0, 1, 2), A, FEW)

    signatures.remember(store, blocks(3, 4, 5, 6), A, FEW)

    assert remembered(store) == [2, 3, 4, 5, 6]


def test_an_answer_with_more_blocks_than_there_is_room_for_stays_within_the_bound(
    store: MemoryStore,
) -> None:
    signatures.remember(store, blocks(*range(12)), A, FEW)
    assert remembered(store) == [7, 8, 9, 10, 11]

    signatures.remember(store, blocks(12, 13), A, FEW)

    assert remembered(store) == [9, 10, 11, 12, 13]


class Asked(MemoryStore):
    """Counts the names that are asked for, and notes how many facts were told at once."""

    def __init__(self) -> None:
        super().__init__()
        self.recalled = self.told = 0

    def recall(self, names: Sequence[str]) -> list[bytes | None]:
        self.recalled += len(names)
        return super().recall(names)

    def remember(self, facts: Mapping[str, bytes], ttl_s: float) -> None:
        self.told = max(self.told, len(facts))
        super().remember(facts, ttl_s)


def test_of_very_many_blocks_the_newest_are_looked_up() -> None:
    store = Asked()
    history = blocks(*range(5000))
    for number in (0, 3975, 3976, 4999):
        signatures.remember(store, blocks(number), A, FEW)
    store.recalled = 0

    found = signatures.issuers(store, history)

    assert list(found) == blocks(3976, 4999)
    assert store.recalled == 1024


def test_of_an_answer_with_very_many_blocks_the_last_are_remembered() -> None:
    store = Asked()
    roomy = SignaturesConfig(ttl_ms=60_000, max_entries=200_000)

    signatures.remember(store, blocks(*range(3000)), A, roomy)

    assert remembered(store, 3000) == list(range(1976, 3000))
    assert store.told == 2048  # each with its place in the ring


def test_an_answer_that_pushes_out_very_many_costs_a_moment() -> None:
    store = MemoryStore()
    full = SignaturesConfig(ttl_ms=60_000, max_entries=20_000)
    issued = [blocks(*range(turn, turn + 20_000)) for turn in (0, 20_000)]
    began = time.process_time()

    for each in issued:
        signatures.remember(store, each, A, full)

    assert time.process_time() - began < 0.5


def test_they_are_forgotten_in_their_time(store: MemoryStore, clock: LeapingClock) -> None:
    signatures.remember(store, blocks(1), A, FEW)
    clock.ahead_s += 40
    signatures.remember(store, blocks(2), A, FEW)
    clock.ahead_s += 21

    assert remembered(store) == [2]


def test_a_smaller_bound_after_a_reload_holds_for_what_comes(store: MemoryStore) -> None:
    signatures.remember(store, blocks(*range(5)), A, FEW)
    small = SignaturesConfig(ttl_ms=60_000, max_entries=2)

    for number in range(5, 12):
        signatures.remember(store, blocks(number), A, small)

    assert remembered(store)[-2:] == [10, 11]
    assert len(remembered(store)) <= 5


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[tuple[LmdbStore, LmdbStore]]:
    one, other = LmdbStore(tmp_path), LmdbStore(tmp_path)
    yield one, other
    one.close()
    other.close()


def test_two_workers_remember_together_and_after_a_restart(
    workers: tuple[LmdbStore, LmdbStore], tmp_path: Path
) -> None:
    for number in range(8):
        signatures.remember(workers[number % 2], blocks(number), A, FEW)
    assert remembered(workers[0]) == remembered(workers[1]) == [3, 4, 5, 6, 7]
    for worker in workers:
        worker.close()

    again = LmdbStore(tmp_path)

    assert remembered(again) == [3, 4, 5, 6, 7]
    again.close()


# From answers


SIGNED = [
    messages.message_start(),
    *messages.thinking_block(0, "hm", "S" * 64),
    *messages.text_block(1, "hello", " world"),
    *messages.ending(),
]


@pytest.fixture
def driven(drive: Drive, a: Upstream) -> Driven:
    return drive(config(provider("A", a, "ka", signature_family="mine")))


def known(driven: Driven) -> dict[bytes, tuple[str, str]]:
    """Who issued the block of `SIGNED`, if that is remembered."""
    return dict(signatures.issuers(driven.lasting.store, [of_signature("S" * 64)]))


def test_the_thinking_of_a_stream_is_remembered_with_provider_and_family(
    driven: Driven, a: Upstream
) -> None:
    a.says(streams(*SIGNED))

    driven.ask(STREAM_MSG)

    assert list(known(driven).values()) == [("A", "mine")]


def test_a_block_that_is_finished_is_remembered_though_its_client_leaves(
    driven: Driven, a: Upstream
) -> None:
    a.says(streams(*SIGNED[:-2], ends="open"))
    reply = driven.begin(STREAM_MSG)
    pieces, seen = iter(reply.body), b""
    while b"world" not in seen:
        seen += next(pieces)

    close(reply)

    assert list(known(driven).values()) == [("A", "mine")]


def test_a_block_that_is_finished_is_remembered_though_its_stream_breaks(
    driven: Driven, a: Upstream
) -> None:
    a.says(streams(*SIGNED[:-2], ends="close"))

    driven.ask(STREAM_MSG)

    assert list(known(driven).values()) == [("A", "mine")]
