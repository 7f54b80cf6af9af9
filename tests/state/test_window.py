"""The window, against a list of what was counted when."""

from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.state.store import WINDOW_S, Bound
from relay.state.window import CELLS, Window

START = 1_700_000_000
SIZE = len(Window(None, START).record())
amounts = st.integers(0, 12)
limits = st.integers(1, 20)
# Mostly close together, now and then over the edge of a window or far beyond it.
pauses = st.one_of(
    st.integers(0, 3), st.integers(WINDOW_S - 3, WINDOW_S + 3), st.integers(0, 3 * CELLS)
)
asked = st.lists(st.tuples(pauses, amounts), max_size=40)
quick = settings(max_examples=150, deadline=None)

Counted = list[tuple[int, int]]


def passing(steps: list[tuple[int, int]]) -> Counted:
    """Pauses and amounts as seconds and amounts."""
    seconds = accumulate((pause for pause, _ in steps), initial=START)
    return [(second, amount) for second, (_, amount) in zip(seconds, steps, strict=False)]


def read_again(window: Window | None, second: int) -> Window:
    """As another process finds it at `second`."""
    return Window(window.record() if window else None, second)


def admitted(steps: list[tuple[int, int]], limit: int) -> tuple[Counted, Window]:
    """What a window of this limit lets through, and the window after it."""
    window = read_again(None, START)
    let_in: Counted = []
    for second, amount in passing(steps):
        window = read_again(window, second)
        if window.has_room(amount, limit, second):
            window.add(amount)
            let_in.append((second, amount))
    return let_in, window


def within(counted: Counted, first: int, last: int) -> int:
    return sum(amount for second, amount in counted if first <= second <= last)


def counts(counted: Counted, second: int) -> int:
    """What still counts at `second`: its own, and that of the sixty before it."""
    return within(counted, second - WINDOW_S, second)


@quick
@given(asked, limits)
def test_no_sixty_seconds_hold_more_than_the_limit(
    steps: list[tuple[int, int]], limit: int
) -> None:
    let_in, _ = admitted(steps, limit)

    for first, _ in let_in:
        # An admission may be late in its second and another early in its own: seconds whose
        # numbers are sixty apart may lie less than sixty seconds apart.
        inside = [amount for second, amount in let_in if first <= second <= first + WINDOW_S]
        larger = [amount for amount in inside if amount > limit]
        assert sum(inside) <= limit or [amount for amount in inside if amount] == larger[:1]


@quick
@given(asked, limits)
def test_what_has_room_is_let_in_and_nothing_else(steps: list[tuple[int, int]], limit: int) -> None:
    window = read_again(None, START)
    let_in: Counted = []

    for second, amount in passing(steps):
        window = read_again(window, second)
        already = counts(let_in, second)
        assert window.counted == already
        assert window.has_room(amount, limit, second) == (already + amount <= limit or already == 0)
        if window.has_room(amount, limit, second):
            window.add(amount)
            let_in.append((second, amount))


@quick
@given(asked, limits, amounts)
def test_the_wait_is_exact_to_the_second(
    steps: list[tuple[int, int]], limit: int, amount: int
) -> None:
    _, window = admitted(steps, limit)
    now = float(window.second)
    wait_s = window.wait_s(amount, limit, now)

    assert wait_s in range(CELLS + 1)
    assert read_again(window, int(now + wait_s)).has_room(amount, limit, now + wait_s)
    for sooner in range(int(wait_s)):
        assert not read_again(window, int(now) + sooner).has_room(amount, limit, now + sooner)


@quick
@given(asked, limits, amounts, amounts, st.integers(-2, 3 * CELLS))
def test_the_wait_for_a_bound_is_exact_too(
    steps: list[tuple[int, int]], limit: int, amount: int, left: int, ends_s: int
) -> None:
    _, window = admitted(steps, limit)
    now = window.second + 0.5
    window.bound(Bound(left, window.second + ends_s))
    wait_s = window.wait_s(amount, limit, now)

    moments = [now + half / 2 for half in range(6 * CELLS)]
    first = next(at for at in moments if read_again(window, int(at)).has_room(amount, limit, at))
    assert first <= now + wait_s <= first + 0.5


@quick
@given(asked, limits, st.data())
def test_settling_counts_in_the_second_in_which_it_was_taken(
    steps: list[tuple[int, int]], limit: int, data: st.DataObject
) -> None:
    let_in, window = admitted(steps, limit)
    later = window.second + data.draw(pauses)
    window = read_again(window, later)
    settled = [(second, data.draw(amounts)) for second, _ in let_in]

    for (second, before), (_, after) in zip(let_in, settled, strict=True):
        window.settle(after - before, second)

    for second in range(later, later + CELLS + 1):
        assert read_again(window, second).counted == counts(settled, second)


@quick
@given(st.lists(st.tuples(st.integers(-130, 130), amounts), max_size=30))
def test_seconds_that_step_back_free_nothing(steps: list[tuple[int, int]]) -> None:
    window = read_again(None, START)
    counted: Counted = []
    latest = START

    for offset, amount in steps:
        latest = max(latest, START + offset)
        window = read_again(window, START + offset)
        assert (window.second, window.counted) == (latest, counts(counted, latest))
        window.add(amount)
        counted.append((latest, amount))


def test_less_than_nothing_is_never_counted() -> None:
    window = Window(None, START)
    window.add(3)

    window.settle(-5, START)

    assert window.counted == 0


@pytest.mark.parametrize("second", [START + 1, START - CELLS, START - 10 * CELLS, START + CELLS])
def test_a_second_that_does_not_count_changes_nothing(second: int) -> None:
    window = Window(None, START)
    window.add(3)
    before = window.record()

    window.settle(4, second)

    assert window.record() == before


def test_the_oldest_second_counts_for_sixty_more_and_no_longer() -> None:
    window = Window(None, START)
    window.add(5)

    at_sixty = read_again(window, START + 60)
    at_sixty.settle(1, START)

    assert at_sixty.counted == 6
    assert read_again(at_sixty, START + 61).counted == 0


@pytest.mark.parametrize("limit", [0, -1])
def test_without_a_limit_there_is_always_room_at_once(limit: int) -> None:
    window = Window(None, START)
    window.add(10**12)

    assert window.has_room(10**12, limit, START)
    assert window.wait_s(10**12, limit, START) == 0
    assert window.share(limit, START) == 1


def test_what_is_larger_than_the_limit_waits_until_nothing_counts() -> None:
    window = Window(None, START)
    window.add(1)

    assert not window.has_room(11, 10, START)
    assert window.wait_s(11, 10, START) == CELLS
    assert read_again(window, START + CELLS).has_room(11, 10, START + CELLS)


def test_the_share_is_what_limit_and_bound_leave() -> None:
    window = Window(None, START)
    assert window.share(20, START) == 1

    window.add(5)
    assert window.share(20, START) == 0.75

    window.bound(Bound(10, START + 30))
    assert window.share(20, START) == 0.5
    assert window.share(40, START) == 0.25
    assert window.share(12, START) == 7 / 12
    assert window.share(20, START + 30) == 0.75


def test_a_record_lasts_as_long_as_it_says_anything() -> None:
    window = Window(None, START)
    window.bound(Bound(1, START + 20))
    assert window.lasts_s(START) == CELLS

    window.bound(Bound(1, START + 200))
    assert window.lasts_s(START + 50) == 150


@pytest.mark.parametrize("length", [0, 1, 8, 8 * CELLS, SIZE - 8, SIZE - 1, SIZE + 1])
def test_a_record_of_a_wrong_length_is_a_new_window(length: int) -> None:
    window = Window(b"\x01" * length, START)

    assert (window.second, window.counted) == (START, 0)


def test_a_record_says_all_and_is_always_as_long() -> None:
    window = Window(None, START)
    empty = window.record()
    window.bound(Bound(7, START + 90))
    for age in range(CELLS):
        window.settle(age + 1, START - age)

    again = Window(window.record(), START)

    assert len(window.record()) == len(empty)
    assert again.record() == window.record()
    assert again.counted == sum(range(1, CELLS + 1))
