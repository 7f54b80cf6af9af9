"""The account of one exchange: what it uses while it runs, and its end, exactly once.

    begin ──► attempted … ──► end(status, outcome, usage)
      slot, place                slot, place, presence given back; one log line

Whatever way an exchange ends (refused, answered, streamed to the end, broken, left by its client)
`end` is called, and only the first call counts.
"""

import logging
from collections.abc import Callable

from relay.exchange.lasting import Lasting
from relay.messages.usage import Usage
from relay.observe.access import ExchangeRecord, log_exchange

log = logging.getLogger("relay.exchange")

NO_USAGE = Usage()


class Settlement:
    """What is known of an exchange so far. Written by the steps that learn it."""

    def __init__(self, lasting: Lasting, *, request_id: str, method: str, path: str) -> None:
        self._lasting = lasting
        self._began = lasting.clock.monotonic()
        self._request_id = request_id
        self._method = method
        self._path = path
        self._owed: list[Callable[[], None]] = []
        self._ended = False
        self._first_byte_ms: int | None = None
        self.client = ""
        self.model = ""
        self.provider = ""
        self.key = ""
        self.model_sent = ""
        self.mutations: tuple[str, ...] = ()
        self.attempts = 0
        self.by_affinity = False
        """Its thinking decided where it went first."""

    def owes(self, give_back: Callable[[], None]) -> None:
        """Call `give_back` at the end, last taken first given back."""
        self._owed.append(give_back)

    def attempted(
        self, provider: str, key: str, model_sent: str, mutations: tuple[str, ...]
    ) -> None:
        """Another try began; the last one is what the log line names."""
        self.answers(provider, key, model_sent, mutations)
        self.attempts += 1

    def answers(self, provider: str, key: str, model_sent: str, mutations: tuple[str, ...]) -> None:
        """Of two tries at a time it is this one that the client's answer comes from."""
        self.provider = provider
        self.key = key
        self.model_sent = model_sent
        self.mutations = mutations

    def committed(self) -> None:
        """The first byte is on its way to the client. Only the first call counts."""
        if self._first_byte_ms is None:
            self._first_byte_ms = self._elapsed_ms()

    def end(self, status: int, outcome: str, usage: Usage = NO_USAGE) -> None:
        """Give everything back and write the exchange's one line. Idempotent."""
        if self._ended:
            return
        self._ended = True
        self._give_back()
        record = ExchangeRecord(
            request_id=self._request_id,
            client=self.client,
            method=self._method,
            path=self._path,
            status=status,
            outcome=outcome,
            duration_ms=self._elapsed_ms(),
            first_byte_ms=self._first_byte_ms,
            provider=self.provider,
            key=self.key,
            model=self.model,
            model_sent=self.model_sent,
            attempts=self.attempts,
            mutations=self.mutations,
        )
        if self.attempts:  # without one nothing can have been used: no zeros for lists and refusals
            record.input_tokens = usage.input_tokens
            record.output_tokens = usage.output_tokens
            record.cache_read = usage.cache_read
            record.cache_write = usage.cache_write
        log_exchange(record)

    def _give_back(self) -> None:
        while self._owed:
            try:
                self._owed.pop()()
            except Exception:  # the others are owed all the same
                log.exception("something was not given back")

    def _elapsed_ms(self) -> int:
        return round((self._lasting.clock.monotonic() - self._began) * 1000)
