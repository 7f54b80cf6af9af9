"""Decode: read a copy of a compressed body, so that it can be counted. The body itself passes
compressed, as the upstream sent it.

Each decoder is fed and gives out what is readable so far. Output is bounded: a megabyte can
unfold into a gigabyte, and no message needs that. Over the bound, or on bytes that do not fit
the coding, `DecodeFailed`; the copy is then given up, never the stream.
"""

import zlib
from collections.abc import Callable, Mapping
from typing import IO, Final, Protocol, cast

import brotli
import zstandard

# The most one read may unfold into. Reads are up to 64 KiB, and the text of streams shrinks to a
# tenth at best; with the copies made on the way it stays under 50 MB.
MAX_DECODED_BYTES: Final = 8 << 20

# RFC 9659: HTTP uses no larger window, and the decoder would allocate it unasked.
_MAX_ZSTD_WINDOW: Final = 8 << 20

_DEFLATE_METHOD: Final = 8
_ZLIB_HEADER_BYTES: Final = 2


class DecodeFailed(Exception):
    """The copy cannot be read: corrupt, or more than `MAX_DECODED_BYTES` out of one read."""


class Decoder(Protocol):
    """Turns one coded body into its plain bytes."""

    def feed(self, chunk: bytes) -> bytes:
        """What is readable now. Raises: `DecodeFailed`."""
        ...


class Identity:
    """No coding."""

    def feed(self, chunk: bytes) -> bytes:
        return chunk


class Gzip:
    """gzip, of one member or several."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def feed(self, chunk: bytes) -> bytes:
        out = _inflated(self._member, chunk, MAX_DECODED_BYTES)
        while self._member.eof and self._member.unused_data:
            more = self._member.unused_data
            self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            out += _inflated(self._member, more, MAX_DECODED_BYTES - len(out))
        return out


class Deflate:
    """deflate: with the zlib header the name means, or without, as many servers send it."""

    def __init__(self) -> None:
        self._head = b""
        self._inflater: zlib._Decompress | None = None

    def feed(self, chunk: bytes) -> bytes:
        if self._inflater is None:
            self._head += chunk
            if len(self._head) < _ZLIB_HEADER_BYTES:
                return b""
            wrapped = self._head[0] & 0x0F == _DEFLATE_METHOD and not (
                int.from_bytes(self._head[:_ZLIB_HEADER_BYTES], "big") % 31
            )
            self._inflater = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
            chunk = self._head
        return _inflated(self._inflater, chunk, MAX_DECODED_BYTES)


class Brotli:
    """br."""

    def __init__(self) -> None:
        self._decompressor = brotli.Decompressor()

    def feed(self, chunk: bytes) -> bytes:
        try:
            out: bytes = self._decompressor.process(chunk, output_buffer_limit=MAX_DECODED_BYTES)
        except brotli.error as error:
            raise DecodeFailed("no brotli data") from error
        if not self._decompressor.can_accept_more_data():
            raise DecodeFailed(f"more than {MAX_DECODED_BYTES} bytes out of one read")
        return out


class Zstd:
    """zstd, of one frame or several."""

    def __init__(self) -> None:
        self._room = _Room()
        decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW)
        self._writer = decompressor.stream_writer(cast(IO[bytes], self._room))

    def feed(self, chunk: bytes) -> bytes:
        try:
            self._writer.write(chunk)
        except zstandard.ZstdError as error:
            raise DecodeFailed("no zstd data") from error
        return self._room.taken()


class _Room:
    """Where zstd writes to: full at the bound, before more is unfolded."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, part: bytes) -> int:
        self._size += len(part)
        if self._size > MAX_DECODED_BYTES:
            raise DecodeFailed(f"more than {MAX_DECODED_BYTES} bytes out of one read")
        self._parts.append(bytes(part))
        return len(part)

    def taken(self) -> bytes:
        out = b"".join(self._parts)
        self._parts, self._size = [], 0
        return out


DECODERS: Final[Mapping[str, Callable[[], Decoder]]] = {
    "": Identity,
    "identity": Identity,
    "gzip": Gzip,
    "x-gzip": Gzip,
    "deflate": Deflate,
    "br": Brotli,
    "zstd": Zstd,
}


def decoder(content_encoding: str) -> Decoder | None:
    """A new decoder for the value of a `content-encoding` header, "" for none.

    None for a coding that is not known, or several on top of each other.
    """
    make = DECODERS.get(content_encoding.strip().lower())
    return make() if make else None


def _inflated(inflater: "zlib._Decompress", chunk: bytes, room: int) -> bytes:
    try:
        out = inflater.decompress(chunk, max(1, room))
    except zlib.error as error:
        raise DecodeFailed("no deflate data") from error
    if inflater.unconsumed_tail:
        raise DecodeFailed(f"more than {MAX_DECODED_BYTES} bytes out of one read")
    return out
