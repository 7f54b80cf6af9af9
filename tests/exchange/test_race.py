"""A race: who wins, and that nothing of the other stays (behaviour 8.1)."""

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent import event

from relay.errors import UpstreamFailed
from relay.exchange.account import Account
from relay.exchange.asked import Asked
from relay.exchange.claiming import Claiming
from relay.exchange.race import Lost, Race
from relay.exchange.reply import Reply
from relay.exchange.standing import Standing
from tests.exchange import routed
from tests.exchange.conftest import Drive
from tests.exchange.driving import Driven
from tests.exchange.hedged import SLOW_S, hedging, two
from tests.scripted.upstream import Upstream


@pytest.fixture
def driven(drive: Drive, a: Upstream, b: Upstream) -> Driven:
    """A is asked first, then B."""
    return drive(hedging(*two(a, b)))


class Pair:
    """Two accounts of one exchange, and a race between them."""

    def __init__(self, driven: Driven) -> None:
        exchange = routed.exchange(driven)
        asked = Asked(exchange.inbound, "")
        route = routed.route(driven)
        claiming = Claiming(exchange, asked, Standing(exchange.means), route)
        self.driven = driven
        self.first, self.second = (self._open(claiming, each) for each in route.order)
        self.race = Race(0.02)

    @staticmethod
    def _open(claiming: Claiming, upstream: Any) -> Account:
        account = claiming.account(upstream, last_resort=False)
        assert isinstance(account, Account)
        return account

    def run(self, run: Callable[[Account], Any]) -> Any:
        return self.race.run(run, self.first, lambda: self.second)

    @property
    def open(self) -> set[str]:
        """Whose leases are out."""
        return {name for name in "AB" if self.driven.in_flight(name, f"{name.lower()}1")}


@pytest.fixture
def pair(driven: Driven) -> Iterator[Pair]:
    pair = Pair(driven)
    yield pair
    pair.first.dropped()
    pair.second.dropped()


WON = Reply(200, [], ())


def test_of_two_that_commit_at_the_same_moment_one_wins(pair: Pair) -> None:
    go = event.Event()
    lost: list[Account] = []

    def run(account: Account) -> Reply:
        if account is pair.second:
            gevent.spawn(go.set)  # both wait
        go.wait(SLOW_S)
        try:
            pair.race.won(account)
            gevent.sleep(0.05)  # what is learned goes over the network
        except Lost:
            lost.append(account)
            account.dropped()
            raise
        return WON

    assert pair.run(run) is WON
    assert lost == [pair.second]
    assert pair.open == {"A"}


def test_the_loser_is_ended_before_the_winner_has_made_its_reply(pair: Pair) -> None:
    went_on = []

    def run(account: Account) -> Reply:
        try:
            if account is pair.first:
                gevent.sleep(0.06)
                went_on.append("A")
                gevent.sleep(SLOW_S)
            gevent.sleep(0.01)
            pair.race.won(account)
            gevent.sleep(0.1)
        except Lost:
            account.dropped()
            raise
        return WON

    assert pair.run(run) is WON
    assert went_on == []
    assert pair.open == {"B"}


def test_after_the_first_is_committed_nobody_else_is_begun(pair: Pair) -> None:
    begun: list[Account] = []

    def run(account: Account) -> Reply:
        begun.append(account)
        gevent.sleep(0.04)
        pair.race.won(account)
        gevent.sleep(0.1)
        return WON

    def second() -> Account:
        gevent.sleep(0.05)  # over a network, the first may be committed meanwhile
        return pair.second

    assert pair.race.run(run, pair.first, second) is WON
    assert begun == [pair.first]
    assert pair.open == {"A"}


def test_while_the_first_is_being_committed_nobody_else_is_looked_for(pair: Pair) -> None:
    looked_for: list[Account] = []

    def run(account: Account) -> Reply:
        pair.race.won(account)
        gevent.sleep(0.1)
        return WON

    def second() -> Account:
        looked_for.append(pair.second)
        return pair.second

    assert pair.race.run(run, pair.first, second) is WON
    assert looked_for == []


def test_a_loser_that_is_ended_before_it_began_gives_its_key_back(pair: Pair) -> None:
    go = event.Event()

    def run(account: Account) -> Reply:
        assert account is pair.first
        go.wait(SLOW_S)
        pair.race.won(account)
        gevent.sleep(0.02)
        return WON

    def second() -> Account:
        go.set()  # the first goes on before anything that is started from here on
        return pair.second

    assert pair.race.run(run, pair.first, second) is WON
    assert pair.open == {"A"}


def test_a_fault_of_one_does_not_harm_the_other(pair: Pair) -> None:
    def run(account: Account) -> Reply:
        if account is pair.second:
            account.dropped()
            raise UpstreamFailed("a fault")
        gevent.sleep(0.1)
        return WON

    assert pair.run(run) is WON


def test_a_fault_of_both_is_raised(pair: Pair, capfd: pytest.CaptureFixture[str]) -> None:
    def run(account: Account) -> Reply:
        gevent.sleep(0.05)
        account.dropped()
        raise UpstreamFailed(account.upstream.name)

    with pytest.raises(UpstreamFailed, match="A"):
        pair.run(run)
    assert pair.open == set()
    assert capfd.readouterr().err == ""


def test_who_waits_for_the_race_and_is_thrown_out_ends_both(pair: Pair) -> None:
    def run(account: Account) -> Reply:
        try:
            gevent.sleep(SLOW_S)
        finally:
            account.dropped()
        return WON

    with gevent.Timeout(0.1) as timeout, pytest.raises(gevent.Timeout):
        pair.run(run)
    timeout.close()

    assert pair.open == set()
