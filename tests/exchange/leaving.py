"""A client on a real connection, who leaves while the relay waits, or is told that it ends."""

import gevent
from gevent import socket

from relay.stream.disconnect import ClientWatch

LONG_S = 20.0


class Client:
    """A real connection, watched as the server's; its client leaves when told to."""

    def __init__(self, watch: ClientWatch) -> None:
        self._watch = watch
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            self._client = socket.create_connection(listener.getsockname())
            self._server, _ = listener.accept()
        self.presence = watch.watch(self._server, write_timeout_s=LONG_S)

    def leaves_soon(self) -> None:
        gevent.spawn_later(0.03, self._client.close)

    def is_told_of_the_end_soon(self) -> None:
        gevent.spawn_later(0.03, self._watch.drain)

    def close(self) -> None:
        self.presence.stop()
        self._client.close()
        self._server.close()
