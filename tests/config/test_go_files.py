"""Files written for the Go cc-relay: they load, with one warning for each key of another world."""

from relay.config.findings import Findings
from relay.config.go_files import adopted
from tests.config.conftest import Loading, Refusing
from tests.config.files import a_file

GO_FILE = """
server:
  listen: 127.0.0.1:8787
  enable_http2: true
cache:
  mode: single
  ristretto: {num_counters: 1000, max_cost: 100}
grpc: {listen: "127.0.0.1:9999", web_listen: "127.0.0.1:9998"}
metrics: {enabled: true, prometheus_endpoint: /metrics, prometheus_listen: ":9"}
routing: {strategy: round-robin, failover: {x: 1}, cost_based: {x: 1}}
health:
  check_interval_seconds: 10
  circuit_breaker: {recovery_timeout_seconds: 5, triggers: [a]}
logging: {level: info, file: stderr}
providers:
  - name: main
    type: anthropic
    pooling: {strategy: least-busy}
    keys: [{key: one}]
"""


def test_a_go_file_loads_with_one_warning_a_key(loading: Loading) -> None:
    config = loading(GO_FILE)

    ignored = ": has no meaning here and is ignored"
    assert [text.removesuffix(ignored) for text in config.warnings if text.endswith(ignored)] == [
        "cache",
        "server.enable_http2",
        "grpc.web_listen",
        "metrics.prometheus_endpoint",
        "metrics.prometheus_listen",
        "routing.failover",
        "routing.cost_based",
        "health.check_interval_seconds",
        "health.circuit_breaker.recovery_timeout_seconds",
        "health.circuit_breaker.triggers",
    ]
    assert [text for text in config.warnings if "read as" in text] == [
        "grpc.listen: is read as management.grpc.listen",
        "logging.file: is read as logging.output",
        'routing.strategy: "round-robin" is read as "round_robin"',
        'providers[0].pooling.strategy: "least-busy" is read as "least_loaded"',
    ]
    assert config.logging.output == "stderr"
    assert config.routing.strategy == "round_robin"
    assert config.providers[0].pooling.strategy == "least_loaded"


def test_simple_shuffle_is_shuffle(loading: Loading) -> None:
    config = loading(a_file(more="routing: {strategy: simple-shuffle}"))

    assert config.routing.strategy == "shuffle"


def test_our_name_wins_where_both_are_given(loading: Loading) -> None:
    config = loading(a_file(more="logging: {file: stdout, output: stderr}"))

    assert config.logging.output == "stderr"
    assert config.warnings == ("logging.file: is ignored, because logging.output is given too",)


def test_what_was_moved_is_checked_where_it_is_read(refusing: Refusing) -> None:
    assert refusing(a_file(more="grpc: {listen: here}")) == (
        'management.grpc.listen: "here" must be host:port',
    )


def test_an_unknown_key_beside_the_go_ones_is_still_refused(refusing: Refusing) -> None:
    (fault,) = refusing(a_file(more="grpc: {listen: ':1', certificate: x}"))

    assert fault.startswith("grpc: unknown key")


def test_odd_shapes_are_left_to_the_sections(refusing: Refusing) -> None:
    faults = refusing(
        a_file(more="grpc: {listen: ':1'}\nmanagement: [1]\nrouting: text\nhealth: 5")
    )

    assert [fault.partition(":")[0] for fault in faults] == ["routing", "health", "management"]


def test_the_tree_that_is_given_stays_as_it_is() -> None:
    tree: dict[str, object] = {"routing": {"strategy": "round-robin"}, "cache": {}}

    adopted(tree, Findings())

    assert tree == {"routing": {"strategy": "round-robin"}, "cache": {}}
