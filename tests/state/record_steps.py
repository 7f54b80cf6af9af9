"""What `count`, `swap`, `look`, `remember` and `recall` do; names, values, the clock."""

import time

import pytest

from relay.state.store import Claim, Store
from tests.state.given import LONG_S, SHORT_S, Given, Later
from tests.state.window_steps import counted, takes

NAMES = [
    *["", " ", "a", "a ", "A", "a:b", "w:a", "c:a", "{a}b", "{a}c", "*", "a\0b", "a\0c", "\n"],
    *["ключ/ñ/鍵/🔑", "\u00e9", "e\u0301", "\ud800", "\udfff", "\udcff"],
    *["x" * 509, "x" * 510, "x" * 511, "x" * 3000, "x" * 3000 + "y", "鍵" * 1000],
]
VALUES = [b"", b"\0", b"0", b"None", b"\xff\xfe", b"\r\n", bytes(range(256)) * 256]


class RecordSteps(Given):
    """Counters, records and facts."""

    def test_a_counter_begins_at_nothing_and_says_what_it_was(self, store: Store) -> None:
        assert [store.count("c") for _ in range(3)] == [0, 1, 2]

    def test_a_counter_goes_up_and_down_and_below_nothing(self, store: Store) -> None:
        steps = [5, -2, 0, -10, 10**15, -1]

        assert [store.count("c", step) for step in steps] == [0, 5, 3, 3, -7, 10**15 - 7]
        assert store.count("c", 0) == 10**15 - 8

    def test_a_counter_begins_anew_within_something_else(self, store: Store) -> None:
        steps = ["", "a", "a", "b", "b", "a", "", ""]

        assert [store.count("c", 1, within) for within in steps] == [0, 0, 1, 0, 1, 0, 0, 1]

    @pytest.mark.parametrize("within", [*NAMES[1:], "b" * 10_000])
    def test_any_text_is_something_to_count_within(self, store: Store, within: str) -> None:
        others = ["", f"{within} ", within[:-1], within * 2]

        for other in others:
            assert store.count("c", 5, within) == 0
            assert store.count("c", 5, within) == 5
            assert store.count("c", 5, other) == 0

    def test_a_counter_that_is_only_read_stays_as_it_is(self, store: Store) -> None:
        store.count("c", 3, "a")

        assert [store.count("c", 0, within) for within in ("a", "b", "a")] == [3, 0, 3]

    def test_records_are_looked_at_in_the_order_of_their_names(self, store: Store) -> None:
        for name in "abc":
            store.swap(name, None, name.encode())
        store.swap("b", b"b", None)
        store.swap("c", b"c", b"")
        before = store.now()

        now, records = store.look(["c", "a", "missing", "b", "a"])

        assert records == [b"", b"a", None, None, b"a"]
        assert before <= now <= store.now()

    def test_looking_at_nothing_tells_the_time(self, store: Store) -> None:
        assert store.look([]).records == []
        assert abs(store.look([]).now - time.time()) < 5

    def test_a_record_is_set_only_in_the_place_of_what_it_was(self, store: Store) -> None:
        assert store.swap("s", b"old", b"new") is None
        assert store.swap("s", None, b"one") == b"one"
        assert store.swap("s", None, b"two") == b"one"
        assert store.swap("s", b"two", b"three") == b"one"
        assert store.swap("s", b"one", b"two") == b"two"
        assert store.swap("s", b"", b"") == b"two"

    def test_a_record_is_removed_only_by_who_knows_it(self, store: Store) -> None:
        store.swap("s", None, b"one")

        assert store.swap("s", b"two", None) == b"one"
        assert store.swap("s", None, None) == b"one"
        assert store.swap("s", b"one", None) is None
        assert store.swap("s", None, None) is None
        assert store.swap("s", None, b"two") == b"two"

    def test_an_empty_record_is_not_an_absent_one(self, store: Store) -> None:
        assert store.swap("s", None, b"") == b""
        assert store.swap("s", None, b"x") == b""
        assert store.swap("s", b"", b"x") == b"x"

    def test_what_stands_already_is_told_to_whoever_wants_the_same(self, store: Store) -> None:
        """So two who swap in equal records both think they have won: make them differ."""
        found = [store.swap("s", None, b"same") for _ in range(2)]

        assert found == [b"same", b"same"]

    def test_facts_are_recalled_in_the_order_of_their_names(self, store: Store) -> None:
        store.remember({"a": b"1", "b": b"2", "c": b""}, LONG_S)

        assert store.recall(["c", "a", "missing", "b", "a"]) == [b"", b"1", None, b"2", b"1"]

    def test_nothing_is_remembered_and_recalled_too(self, store: Store) -> None:
        store.remember({}, LONG_S)

        assert store.recall([]) == []

    def test_many_facts_are_one_step(self, store: Store) -> None:
        facts = {f"f{number}": b"%d" % number for number in range(300)}

        store.remember(facts, LONG_S)

        assert store.recall(list(facts)) == list(facts.values())

    def test_a_fact_is_kept_for_its_own_time(self, store: Store, later: Later) -> None:
        store.remember({"short": b"1"}, SHORT_S)
        store.remember({"long": b"2"}, LONG_S)
        later(2 * SHORT_S)

        assert store.recall(["short", "long"]) == [None, b"2"]

    def test_a_fact_told_again_has_its_new_value_and_time(self, store: Store, later: Later) -> None:
        store.remember({"longer": b"1"}, SHORT_S)
        store.remember({"longer": b"2"}, LONG_S)
        store.remember({"shorter": b"1"}, LONG_S)
        store.remember({"shorter": b"2"}, SHORT_S)
        later(2 * SHORT_S)

        assert store.recall(["longer", "shorter"]) == [b"2", None]

    @pytest.mark.parametrize("ttl_s", [0.0, -1.0])
    def test_a_fact_for_no_time_is_forgotten_at_once(self, store: Store, ttl_s: float) -> None:
        store.remember({"f": b"1", "g": b"1"}, LONG_S)

        store.remember({"f": b"2"}, ttl_s)

        assert store.recall(["f", "g"]) == [None, b"1"]

    def test_counters_and_records_have_no_such_time(self, store: Store, later: Later) -> None:
        store.count("x", 3)
        store.swap("x", None, b"1")
        later(2 * SHORT_S)

        assert store.count("x") == 3
        assert store.swap("x", b"1", b"2") == b"2"

    def test_any_text_is_a_name_of_its_own(self, store: Store) -> None:
        for number, name in enumerate(NAMES, 1):
            assert store.count(name, number) == 0
            assert store.swap(name, None, b"%d" % number) == b"%d" % number
            assert store.hold(name, 1, LONG_S)
            assert takes(store, Claim(name, number, number))
            assert takes(store, Claim(name, number, number, lasting=True))
            store.remember({name: b"%d" % number}, LONG_S)

        numbers = list(range(1, len(NAMES) + 1))
        assert [store.count(name, 0) for name in NAMES] == numbers
        assert [store.swap(name, None, None) for name in NAMES] == [b"%d" % n for n in numbers]
        assert [store.hold(name, 1, LONG_S) for name in NAMES] == [None] * len(NAMES)
        assert store.look(NAMES).records == [b"%d" % n for n in numbers]
        assert [counted(store, name) for name in NAMES] == numbers
        assert [load.held for load in store.loads(NAMES)] == numbers
        assert store.recall(NAMES) == [b"%d" % n for n in numbers]

    def test_a_name_in_one_step_has_nothing_to_do_with_it_in_another(self, store: Store) -> None:
        token = store.hold("n", 1, LONG_S)

        assert token
        assert takes(store, Claim("n", 7, 7))
        assert takes(store, Claim("n", 9, 9, lasting=True))
        assert store.count("n", 7) == 0
        assert store.swap("n", None, b"seven") == b"seven"
        assert store.recall(["n"]) == [None]
        store.remember({"n": b"7"}, LONG_S)
        store.let_go("n", token)
        assert [load.held for load in store.loads(["n"])] == [9]
        assert store.look(["n"]).records == [b"seven"]
        assert (counted(store, "n"), store.count("n")) == (7, 7)
        assert store.swap("n", b"seven", None) is None
        assert store.recall(["n"]) == [b"7"]

    @pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
    def test_any_bytes_are_kept_as_they_are(self, store: Store, value: bytes) -> None:
        store.remember({"f": value}, LONG_S)
        store.swap("s", None, value)

        assert store.recall(["f"]) == [value]
        assert store.look(["s"]).records == [value]
        assert store.swap("s", value, b"next") == b"next"

    def test_the_clock_tells_unix_seconds_and_never_steps_back(self, store: Store) -> None:
        seen = [store.now() for _ in range(50)]

        assert seen == sorted(seen)
        assert abs(seen[0] - time.time()) < 5

    def test_a_store_is_closed_as_often_as_one_likes(self, store: Store) -> None:
        store.count("c")

        for _ in range(3):
            store.close()
