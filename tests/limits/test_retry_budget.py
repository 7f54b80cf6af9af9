"""How many attempts beyond the first a worker allows itself (behaviour 8.3)."""

import pytest

from relay.config.model import RetryBudgetConfig
from relay.limits.retry_budget import RetryBudget

TWO = RetryBudgetConfig(ratio=0.25, reserve=2)


def spent(budget: RetryBudget, config: RetryBudgetConfig, most: int = 1000) -> int:
    """How often in a row there was something left."""
    return next(times for times in range(most) if not budget.spend(config))


def exchanges(budget: RetryBudget, config: RetryBudgetConfig, count: int) -> None:
    for _ in range(count):
        budget.add(config)


def test_it_starts_at_the_reserve() -> None:
    assert spent(RetryBudget(), TWO) == 2


def test_each_exchange_adds_its_share() -> None:
    budget = RetryBudget()
    spent(budget, TWO)

    exchanges(budget, TWO, 3)
    assert not budget.spend(TWO)
    exchanges(budget, TWO, 1)

    assert spent(budget, TWO) == 1


def test_it_grows_up_to_ten_times_the_reserve() -> None:
    budget = RetryBudget()

    exchanges(budget, TWO, 1000)

    assert spent(budget, TWO) == 20


def test_an_empty_budget_does_not_go_below_nothing() -> None:
    budget = RetryBudget()
    spent(budget, TWO)
    for _ in range(50):
        assert not budget.spend(TWO)

    exchanges(budget, TWO, 4)

    assert budget.spend(TWO)


def test_attempts_of_a_broken_fleet_stay_near_the_number_of_requests() -> None:
    budget, config = RetryBudget(), RetryBudgetConfig(ratio=0.125, reserve=10)
    retries = 0
    for _ in range(1000):
        budget.add(config)
        retries += budget.spend(config)

    assert 125 <= retries <= 135


def test_without_a_reserve_the_first_exchanges_have_none() -> None:
    budget, config = RetryBudget(), RetryBudgetConfig(ratio=0.25, reserve=0)

    exchanges(budget, config, 3)
    assert not budget.spend(config)
    exchanges(budget, config, 500)

    assert spent(budget, config) == 1


def test_with_neither_share_nor_reserve_there_is_never_one() -> None:
    budget, config = RetryBudget(), RetryBudgetConfig(ratio=0, reserve=0)

    exchanges(budget, config, 1000)

    assert not budget.spend(config)


@pytest.mark.parametrize(("reserve", "left"), [(1, 10), (100, 21)])
def test_what_is_left_outlives_a_reload_within_the_new_bound(reserve: int, left: int) -> None:
    budget = RetryBudget()
    exchanges(budget, TWO, 1000)
    reloaded = RetryBudgetConfig(ratio=1, reserve=reserve)

    budget.add(reloaded)

    assert spent(budget, reloaded) == left
