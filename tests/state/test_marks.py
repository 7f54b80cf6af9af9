"""Marks, as one process reads what others have written."""

import pytest

from relay.state.marks import Marks

NOW = 1_700_000_000.25
MINE, OTHER, DEAD = 1, 2**53 - 1, 7


def held_by_all() -> Marks:
    marks = Marks(None, NOW)
    marks.add(DEAD, 4, NOW, 10.0)
    marks.add(OTHER, 2, NOW + 1, 20.0)
    marks.add(MINE, 1, NOW + 2, 30.0)
    return marks


def test_a_record_says_all() -> None:
    marks = held_by_all()

    again = Marks(marks.record(), NOW)

    assert (again.counted, again.taken_at) == (7, NOW + 2)
    assert again.record() == marks.record()


def test_what_has_run_out_is_not_read_and_not_written_again() -> None:
    all_three = held_by_all().record()

    left = [Marks(all_three, NOW + age_s) for age_s in (9.75, 10.0, 20.75, 21.0, 32.0)]

    assert [marks.counted for marks in left] == [7, 3, 3, 1, 0]
    lengths = [len(marks.record()) for marks in left]
    assert lengths == sorted(lengths, reverse=True)
    assert len(set(lengths)) == 4
    assert {marks.taken_at for marks in left} == {NOW + 2}


def test_each_takes_off_its_own_and_never_more_than_that() -> None:
    marks = held_by_all()

    marks.take_off(OTHER, 1)
    assert marks.counted == 6

    marks.take_off(MINE, 5)
    marks.take_off(99, 5)
    assert marks.counted == 5
    assert Marks(marks.record(), NOW).counted == 5


def test_a_new_sum_and_end_are_for_the_one_who_asks() -> None:
    marks = held_by_all()

    marks.renew(MINE, 3, NOW + 100)
    marks.renew(99, 5, NOW + 50)
    marks.renew(DEAD, 0, NOW + 100)

    assert marks.counted == 10
    assert Marks(marks.record(), NOW + 49).counted == 8
    assert Marks(marks.record(), NOW + 99).counted == 3
    assert Marks(marks.record(), NOW + 100).counted == 0


def test_what_one_holds_alone_is_said_as_well() -> None:
    marks = Marks(None, NOW)
    assert Marks(marks.record(), NOW).counted == 0
    marks.add(MINE, 2, NOW, 10.0)

    again = Marks(marks.record(), NOW + 1)
    assert (again.counted, again.taken_at, again.record()) == (2, NOW, marks.record())
    ended = Marks(marks.record(), NOW + 10)
    assert (ended.counted, ended.taken_at) == (0, NOW)
    assert len(ended.record()) < len(marks.record())

    again.add(OTHER, 1, NOW + 1, 10.0)
    assert Marks(again.record(), NOW + 2).counted == 3
    again.take_off(MINE, 2)
    assert Marks(again.record(), NOW + 10).counted == 1


@pytest.mark.parametrize("length", [0, 1, 7, 9, 16, 31, 33, 57])
def test_a_record_of_a_wrong_length_is_none(length: int) -> None:
    marks = Marks(b"\x01" * length, NOW)

    assert (marks.counted, marks.taken_at) == (0, 0.0)
