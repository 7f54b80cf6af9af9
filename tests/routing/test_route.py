"""In which order candidates are asked."""

from relay.routing.route import by_priority


def test_failover_goes_by_descending_priority_and_keeps_the_order_of_equals() -> None:
    candidates = [("a", 0), ("b", 2), ("c", 1), ("d", 2), ("e", 0)]

    route = by_priority(candidates, lambda candidate: candidate[1])

    assert [name for name, _ in route] == ["b", "d", "c", "a", "e"]
