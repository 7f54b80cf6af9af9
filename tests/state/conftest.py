"""The tests over Redis need `redis-server`; where it is missing they say so and are left out."""

import pytest

pytest.register_assert_rewrite(
    *(
        f"tests.state.{name}"
        for name in (
            "window_steps",
            "bound_steps",
            "room_steps",
            "mark_steps",
            "place_steps",
            "record_steps",
            "minute_steps",
        )
    )
)

from tests.state import redis_server  # noqa: E402  what comes before holds for imports after it

collect_ignore_glob = ["test_redis*.py"] if redis_server.IS_LEFT_OUT else []


def pytest_report_header() -> list[str]:
    """Say what is left out."""
    return [redis_server.LEFT_OUT] if redis_server.IS_LEFT_OUT else []
