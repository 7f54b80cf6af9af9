"""A process is told from all others, and from its parent."""

from pathlib import Path

from relay.state.holder import THIS_PROCESS, Holder
from relay.state.memory import MemoryStore
from tests.state.forked import children


def test_all_stores_of_one_process_are_one_holder() -> None:
    assert MemoryStore().holder is MemoryStore().holder is THIS_PROCESS


def test_another_holder_has_another_number() -> None:
    numbers = {Holder().number for _ in range(50)}

    assert len(numbers) == 50
    assert 0 <= min(numbers) < max(numbers) < 2**53


def test_a_child_is_another_and_its_parent_stays_who_it_was(tmp_path: Path) -> None:
    store, before = MemoryStore(), THIS_PROCESS.number

    def tell(name: str) -> None:
        (tmp_path / name).write_text(str(store.holder.number))

    with children(lambda: tell("one"), lambda: tell("other")):
        pass

    numbers = {int(each.read_text()) for each in tmp_path.iterdir()}
    assert len(numbers | {before}) == 3
    assert THIS_PROCESS.number == before
