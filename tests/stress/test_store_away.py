"""The store is away: requests flow, little later than before (behaviour 9.8; check 27).

Redis frozen, refused, slow; and LMDB with a process that was stopped while it wrote.
While it is away each worker counts for itself; five seconds after its return they share again. The
ways of being away are looked at one after the other, and waited for together.
"""

import fcntl
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.scripted.answers import says_message
from tests.scripted.client import Connection
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.state.redis_server import RedisServer
from tests.stress.asking import Asked, ask, body
from tests.stress.slow_link import SlowLink

pytestmark = pytest.mark.timeout(120)

A_MINUTE: Final = 60
WORKERS: Final = 2
# Beside what they use of the limit before, the workers together go over it, and none alone.
BEFORE: Final = 10
WHILE_AWAY: Final = 30
MOST_ADDED_S: Final = 0.1
# What a machine with others on it adds now and then.
NOISE_S: Final = 0.08
BACK_WITHIN_S: Final = 5.0
WRITER_STOPPED: Final = "writer stopped"


@dataclass(slots=True)
class Seen:
    """What was seen of one way of being away."""

    before: list[Asked] = field(default_factory=list)
    away: list[Asked] = field(default_factory=list)
    said_away: int = 0
    after: list[list[Asked]] = field(default_factory=list)
    """By worker: asked until it refuses, the second after the first."""
    said_back: int = 0

    @property
    def added_s(self) -> list[float]:
        """How much longer each took than the middle one before."""
        usual_s = statistics.median(one.took_s for one in self.before)
        return [one.took_s - usual_s for one in self.away]


class Scene:
    """A relay over Redis behind a link, or over LMDB, and a connection to each worker."""

    def __init__(self, folder: Path, how: str) -> None:
        self._stack = ExitStack()
        self.redis = self._stack.enter_context(RedisServer())
        self.link = self._stack.enter_context(SlowLink(self.redis.port))
        redis = {"url": f"redis://127.0.0.1:{self.link.port}/0"}
        upstream = self._stack.enter_context(Upstream())
        upstream.answers_with(says_message())
        entry = provider("p", upstream, keys=[{"key": "k1", "rpm_limit": A_MINUTE}])
        settings = config(entry, state={} if how == WRITER_STOPPED else redis)
        self.relay = self._stack.enter_context(Relay(folder, settings, workers=WORKERS))
        self._connections = [self.relay.connect(worker) for worker in self.relay.workers]
        self.seen = Seen()

    def close(self) -> None:
        """End everything."""
        self._stack.close()

    def stop_writing(self) -> None:
        """Be a process that has been stopped in the middle of a write."""
        self._writing = (self.relay.folder / "state" / "store" / "writing").open("rb")
        fcntl.flock(self._writing, fcntl.LOCK_EX)

    def go_on(self) -> None:
        """Let others write again."""
        self._writing.close()

    def use(self, count: int) -> list[Asked]:
        """So many requests to each worker, in turn."""
        return [self._ask(connection) for _ in range(count) for connection in self._connections]

    def said(self, text: str) -> int:
        """How often it was logged."""
        return self.relay.output().count(text)

    def exhaust(self) -> list[list[Asked]]:
        """Ask each worker until it refuses."""
        return [self._until_refused(connection) for connection in self._connections]

    def _until_refused(self, connection: Connection) -> list[Asked]:
        served: list[Asked] = []
        while (one := self._ask(connection)).status == 200 and len(served) <= 2 * A_MINUTE:
            served.append(one)
        return served

    def _ask(self, connection: Connection) -> Asked:
        return ask(self.relay.port, "r", body(), connection=connection)


def _slow(scene: Scene) -> None:
    scene.link.delay_s = 1.0


def _fast(scene: Scene) -> None:
    scene.link.delay_s = 0.0


def _sluggish(scene: Scene) -> None:
    # An exchange waits for the store three times: before it is sent twice, and before its end.
    scene.link.delay_s = 0.03


_AWAY: Final[Mapping[str, tuple[Callable[[Scene], None], Callable[[Scene], None]]]] = {
    "frozen": (lambda scene: scene.redis.freeze(), lambda scene: scene.redis.thaw()),
    "refused": (lambda scene: scene.redis.kill(), lambda scene: scene.redis.start()),
    "slow": (_slow, _fast),
    "a little slow": (_sluggish, _fast),
    WRITER_STOPPED: (lambda scene: scene.stop_writing(), lambda scene: scene.go_on()),
}


def _observe(scenes: Mapping[str, Scene]) -> None:
    for name, scene in scenes.items():
        scene.use(2)
        scene.seen.before = scene.use(BEFORE)
        said = scene.said("state degraded")  # a busy machine may have said so at the start
        _AWAY[name][0](scene)
        scene.seen.away = scene.use(WHILE_AWAY)
        scene.seen.said_away = scene.said("state degraded") - said
    for name, scene in scenes.items():
        _AWAY[name][1](scene)
    time.sleep(BACK_WITHIN_S)
    for scene in scenes.values():
        scene.seen.after = scene.exhaust()
        scene.seen.said_back = scene.said("state is shared again")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Seen]]:
    """What was seen, by the way of being away."""
    scenes: dict[str, Scene] = {}
    folders = [tmp_path_factory.mktemp("away") for _ in _AWAY]
    try:
        with ThreadPoolExecutor() as pool:
            scenes.update(zip(_AWAY, pool.map(Scene, folders, _AWAY), strict=True))
        _observe(scenes)
        yield {name: scene.seen for name, scene in scenes.items()}
    finally:
        for scene in scenes.values():
            scene.relay.terminate()
        for scene in scenes.values():
            scene.close()


@pytest.mark.parametrize("how", _AWAY)
def test_requests_flow_hardly_later(
    seen: Mapping[str, Seen], figure: Callable[[str], None], how: str
) -> None:
    added_s = sorted(seen[how].added_s)

    middle_s = statistics.median(added_s)
    figure(f"at most {added_s[-1] * 1000:.0f} ms added, half {middle_s * 1000:.1f} ms or less")
    assert [one for one in seen[how].away if not one.is_whole and how != "a little slow"] == []
    assert added_s[-1] <= MOST_ADDED_S + NOISE_S
    assert middle_s <= MOST_ADDED_S


@pytest.mark.parametrize("how", ["frozen", "refused", "slow", WRITER_STOPPED])
def test_each_worker_counts_for_itself_and_says_so_once(seen: Mapping[str, Seen], how: str) -> None:
    served = sum(one.status == 200 for one in seen[how].away)

    assert served == WORKERS * WHILE_AWAY > A_MINUTE - WORKERS * BEFORE
    assert 1 <= seen[how].said_away <= WORKERS
    assert seen[how].said_back >= seen[how].said_away, "its return was not told"


@pytest.mark.parametrize("how", ["frozen", "refused", "slow", WRITER_STOPPED])
def test_what_is_back_is_shared_again_within_seconds(seen: Mapping[str, Seen], how: str) -> None:
    first, second = seen[how].after

    assert len(first) <= A_MINUTE
    assert second == [], "the second worker had room of its own"
    assert len(first) > 0, "nothing had room"
