"""Two attempts at a time: who wins, and that nothing of the other stays (behaviour 8.1)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gevent
import pytest
from gevent import event

from relay.breaker.transitions import State
from relay.errors import ClientLeft, InvalidRequest, UpstreamFailed
from relay.exchange.account import Account
from relay.exchange.asked import Asked
from relay.exchange.claiming import Claiming
from relay.exchange.inbound import COUNT_TOKENS
from relay.exchange.race import Lost, Race
from relay.exchange.reply import Reply
from relay.exchange.standing import Standing
from tests.exchange import routed
from tests.exchange.conftest import Beside, Drive, Lines
from tests.exchange.driving import Driven, close, quick
from tests.exchange.leaving import Client
from tests.exchange.waiting import outcome
from tests.scripted import messages
from tests.scripted.answers import Answer, says_error, says_message, says_nothing, streams
from tests.scripted.client import MSG, STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.recorded import Recorded
from tests.scripted.upstream import Upstream

HEDGE_MS = 100
SLOW_S = 10.0
BREAKS_AT_ONCE = {"circuit_breaker": {"failure_threshold": 1}}


def hedging(*providers: dict[str, Any], **routing: Any) -> dict[str, Any]:
    """A relay that asks a second provider after 0.1 s; one failure opens a breaker."""
    settings = config(*providers, routing={"hedge_after_ms": HEDGE_MS, "debug": True, **routing})
    return settings | {"health": routed.breaker()}


@pytest.fixture
def driven(drive: Drive, a: Upstream, b: Upstream) -> Driven:
    """A is asked first, then B."""
    return drive(hedging(*two(a, b)))


def two(a: Upstream, b: Upstream, *keys: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return provider("A", a, *(keys or ["a1"]), priority=2), provider("B", b, "b1", priority=1)


def is_over(driven: Driven) -> bool:
    """Whether nothing is held for anybody any more."""
    running = driven.lasting.running
    return not running.attempts and not running.count


def budget(driven: Driven) -> float:
    """How many further attempts there is room for."""
    return driven.lasting.retries.left(driven.runtime.config.routing.retry_budget)


def cancelled(request: Recorded) -> bool:
    return request.closed.wait(1.0)


QUICK: Mapping[bytes, Callable[[str], Answer]] = {
    MSG: says_message,
    STREAM_MSG: lambda text: streams(*messages.text_stream(text)),
}
SILENT: Mapping[str, Answer] = {
    "no headers": says_nothing("open"),
    "no event": streams(SLOW_S),
    "no content": streams(messages.message_start()[:-1], SLOW_S),
}


@pytest.mark.parametrize("body", [MSG, STREAM_MSG])
@pytest.mark.parametrize("silence", SILENT)
def test_the_second_wins_while_the_first_is_silent(
    driven: Driven, a: Upstream, b: Upstream, lines: Lines, *, body: bytes, silence: str
) -> None:
    a.says(SILENT[silence])
    b.says(QUICK[body]("from B"))

    served = driven.ask(body)

    assert served.status == 200
    assert b"from B" in served.content
    assert not served.cut
    assert served.header("x-cc-relay-provider") == "B"
    assert served.header("x-cc-relay-attempts") == "2"
    assert cancelled(a.only())
    (ended,) = lines.ended
    assert (ended["provider"], ended["key"], ended["attempts"]) == ("B", "B/0", 2)
    assert (ended["outcome"], ended["output_tokens"]) == ("complete", 7)
    assert 0.09 < b.only().arrived_at - a.only().arrived_at < 0.6
    assert routed.state(driven, "A") is State.CLOSED
    assert is_over(driven)


@pytest.mark.parametrize("body", [MSG, STREAM_MSG])
def test_the_first_wins_if_it_is_only_a_little_late(
    driven: Driven, a: Upstream, b: Upstream, lines: Lines, *, body: bytes
) -> None:
    a.answers_with(_late(QUICK[body]("from A"), 0.3))
    b.says(says_nothing("open"))

    served = driven.ask(body)

    assert b"from A" in served.content
    assert served.header("x-cc-relay-provider") == "A"
    assert served.header("x-cc-relay-attempts") == "2"
    assert cancelled(b.only())
    (ended,) = lines.ended
    assert (ended["provider"], ended["key"], ended["attempts"]) == ("A", "A/0", 2)
    assert routed.state(driven, "B") is State.CLOSED
    assert is_over(driven)


def _late(answer: Answer, seconds: float) -> Answer:
    return Answer(
        answer.status, answer.headers, answer.steps, answer.framing, (seconds,), answer.ends
    )


def test_a_first_that_is_in_time_stays_alone(
    driven: Driven, a: Upstream, b: Upstream, lines: Lines
) -> None:
    a.says(streams(*messages.text_stream("from A"), pause_s=0.03))
    before = budget(driven)

    served = driven.ask(STREAM_MSG)

    assert b"from A" in served.content
    assert not b.requests
    assert [each["attempts"] for each in lines.ended] == [1]
    assert budget(driven) >= before


def test_a_first_that_fails_in_time_is_followed_as_ever(
    driven: Driven, a: Upstream, b: Upstream, lines: Lines
) -> None:
    a.says(says_error(503, "api_error"))
    b.says(says_message("from B"))

    assert b"from B" in driven.ask().content
    assert [each["attempts"] for each in lines.ended] == [2]
    assert b.only().arrived_at - a.only().arrived_at < HEDGE_MS / 1000
    assert routed.state(driven, "A") is State.OPEN


def test_an_answer_that_nobody_else_is_asked_about_wins(
    driven: Driven, a: Upstream, b: Upstream
) -> None:
    a.says(says_nothing("open"))
    b.says(says_error(400, "invalid_request_error", "from B"))

    served = driven.ask()

    assert (served.status, b"from B" in served.content) == (400, True)
    assert cancelled(a.only())
    assert is_over(driven)


@pytest.mark.parametrize("first_fails_after_s", [0.2, 0.6])
def test_of_two_failures_the_client_gets_the_last_answer(
    driven: Driven, a: Upstream, b: Upstream, first_fails_after_s: float
) -> None:
    a.answers_with(_late(says_error(503, "api_error", "from A"), first_fails_after_s))
    b.answers_with(_late(says_error(529, "overloaded_error", "from B"), 0.3))

    served = driven.ask()

    last = "B" if first_fails_after_s < 0.4 else "A"
    assert f"from {last}".encode() in served.content
    assert served.header("x-cc-relay-provider") == last
    assert served.header("x-cc-relay-attempts") == "2"
    assert {routed.state(driven, name) for name in "AB"} == {State.OPEN}
    assert is_over(driven)


def test_after_two_failures_a_third_is_asked(
    drive: Drive, a: Upstream, b: Upstream, lines: Lines
) -> None:
    driven = drive(hedging(*two(a, b), provider("C", b, "c1", priority=0)))
    a.answers_with(_late(says_error(503, "api_error"), 0.2))
    b.says(says_error(503, "api_error"), says_message("from C"))

    served = driven.ask()

    assert b"from C" in served.content
    assert [request.header("x-api-key") for request in b.requests] == ["b1", "c1"]
    assert [each["attempts"] for each in lines.ended] == [3]


def test_when_one_says_that_nobody_else_is_asked_nobody_is(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(hedging(*two(a, b), provider("C", b, "c1", priority=0), retry_ambiguous=False))
    a.answers_with(says_nothing("close", 0.2))
    b.answers_with(_late(says_error(503, "api_error"), 0.3))

    assert driven.ask().status == 503
    assert len(b.requests) == 1


def test_a_hedge_takes_one_from_the_retry_budget(driven: Driven, a: Upstream, b: Upstream) -> None:
    a.says(says_nothing("open"))
    b.says(says_message())
    before = budget(driven)

    driven.ask()

    ratio = driven.runtime.config.routing.retry_budget.ratio
    assert budget(driven) == pytest.approx(before + ratio - 1)


NOBODY: Mapping[str, dict[str, Any]] = {
    "the retry budget is empty": {"retry_budget": {"ratio": 0.0, "reserve": 0}},
    "one attempt is all there may be": {"max_attempts": 1},
    "hedging is off": {"hedge_after_ms": 0},
}


@pytest.mark.parametrize("why", NOBODY)
def test_nobody_else_is_asked_where_nobody_may_be(
    drive: Drive, a: Upstream, b: Upstream, lines: Lines, why: str
) -> None:
    driven = drive(hedging(*two(a, b), **NOBODY[why]))
    a.answers_with(_late(says_message("from A"), 0.3))

    assert b"from A" in driven.ask().content
    assert not b.requests
    assert [each["attempts"] for each in lines.ended] == [1]


def test_where_there_is_nobody_else_the_budget_is_left_alone(drive: Drive, a: Upstream) -> None:
    driven = drive(hedging(provider("A", a, "a1", "a2")))
    a.answers_with(_late(says_message("from A"), 0.3))
    before = budget(driven)

    assert b"from A" in driven.ask().content
    assert len(a.requests) == 1
    assert budget(driven) >= before


def test_a_provider_that_failed_twice_is_no_second(drive: Drive, a: Upstream, b: Upstream) -> None:
    driven = drive(hedging(*two(a, b, "a1", "a2", "a3")))
    refused = says_error(429, "rate_limit_error", headers={"retry-after": "1"})
    a.says(refused, refused, says_message("from a3"))
    b.answers_with(_late(says_message("from B"), 0.3))

    assert b"from B" in driven.ask().content
    assert [request.header("x-api-key") for request in a.requests] == ["a1", "a2"]


def test_the_time_for_more_runs_from_the_first_failure_of_the_two(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    third = provider("C", b, "c1", priority=0)
    driven = drive(hedging(*two(a, b), third, failover_timeout=200))
    a.answers_with(_late(says_error(503, "api_error"), 0.15))
    b.answers_with(_late(says_error(503, "api_error", "from B"), 0.5))

    served = driven.ask()

    assert served.status == 503
    assert len(b.requests) == 1


def test_a_count_of_tokens_is_not_hedged(driven: Driven, a: Upstream, b: Upstream) -> None:
    a.answers_with(_late(says_message(), 0.3))

    assert driven.ask(path=COUNT_TOKENS).status == 200
    assert not b.requests


def test_a_committed_stream_is_not_hedged_however_silent(
    driven: Driven, a: Upstream, b: Upstream
) -> None:
    begun, *rest = messages.text_stream("from A")
    a.says(streams(begun, *rest[:2], 0.4, *rest[2:]))

    assert b"from A" in driven.ask(STREAM_MSG).content
    assert not b.requests


def test_a_first_that_stays_silent_for_the_gate_s_time_is_shown_with_pings(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(
        hedging(*two(a, b)), lambda each: quick(each, first_event_ms=300, ping_interval_ms=50)
    )
    a.answers_with(_late(QUICK[STREAM_MSG]("from A"), 0.6))
    b.says(says_nothing("open"))

    served = driven.ask(STREAM_MSG)

    assert b"from A" in served.content
    assert not served.cut
    assert cancelled(b.only())
    assert is_over(driven)


@pytest.mark.parametrize("after_s", [0.03, 0.3])
def test_a_client_that_leaves_ends_all_that_runs(  # noqa: PLR0917  pytest passes by name
    driven: Driven,
    a: Upstream,
    b: Upstream,
    lines: Lines,
    beside: Beside,
    client: Client,
    after_s: float,
) -> None:
    a.says(says_nothing("open"))
    b.says(says_nothing("open"))
    one = beside(driven).ask(presence=client.presence)
    gevent.sleep(after_s)

    client.leaves_soon()

    assert isinstance(outcome(one), ClientLeft)
    assert all(cancelled(request) for request in a.requests + b.requests)
    assert len(b.requests) == (after_s > HEDGE_MS / 1000)
    assert [each["outcome"] for each in lines.ended] == ["client_left"]
    assert {routed.state(driven, name) for name in "AB"} == {State.CLOSED}
    assert is_over(driven)


def test_a_client_that_leaves_after_commit_ends_the_winner(
    driven: Driven, a: Upstream, b: Upstream, lines: Lines, client: Client
) -> None:
    a.says(says_nothing("open"))
    b.says(streams(*messages.beginning(), SLOW_S))
    reply = driven.begin(STREAM_MSG, presence=client.presence)
    pieces = iter(reply.body)
    next(pieces)
    client.leaves_soon()

    with pytest.raises(ClientLeft):
        list(pieces)
    close(reply)

    assert cancelled(b.only())
    assert cancelled(a.only())
    assert [each["outcome"] for each in lines.ended] == ["client_left"]
    assert is_over(driven)


def test_a_credential_of_the_client_s_own_is_shown_to_one_host_only(
    driven: Driven, a: Upstream, b: Upstream
) -> None:
    a.says(says_nothing("open"))
    b.says(says_message())

    driven.ask(headers={"authorization": "Bearer their-own"})

    assert a.only().header("authorization") == "Bearer their-own"
    assert "their-own" not in b.only().text()
    assert b.only().header("x-api-key") == "b1"


def test_what_cannot_be_sent_is_refused_and_nobody_hears_of_it(
    driven: Driven, lines: Lines, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidRequest):
        driven.begin(query="a b")

    assert capfd.readouterr().err == ""
    assert [each["status"] for each in lines.ended] == [400]
    assert is_over(driven)


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
        go.wait(SLOW_S)
        try:
            pair.race.won(account)
            gevent.sleep(0.05)  # what is learned goes over the network
        except Lost:
            lost.append(account)
            account.dropped()
            raise
        return WON

    gevent.spawn_later(0.06, go.set)

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
