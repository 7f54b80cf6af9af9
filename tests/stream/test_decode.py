"""Compressed copies are read in any cut, and never unfold without a bound."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from relay.stream.decode import MAX_DECODED_BYTES, DecodeFailed, decoder

PLAIN: Final = b"event: ping\ndata: {}\n\n" * 50 + bytes(range(256))


def raw_deflate(plain: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(plain) + compressor.flush()


CODED: Final = [
    ("", PLAIN),
    ("identity", PLAIN),
    ("gzip", gzip.compress(PLAIN)),
    ("X-GZip", gzip.compress(PLAIN)),
    ("gzip", gzip.compress(PLAIN[:100]) + gzip.compress(PLAIN[100:])),
    ("deflate", zlib.compress(PLAIN)),
    ("deflate", raw_deflate(PLAIN)),
    (" br ", brotli.compress(PLAIN)),
    ("zstd", zstandard.compress(PLAIN)),
    ("zstd", zstandard.compress(PLAIN[:100]) + zstandard.compress(PLAIN[100:])),
]


def decoded(coding: str, chunks: list[bytes]) -> bytes:
    decoding = decoder(coding)
    assert decoding is not None
    return b"".join(decoding.feed(chunk) for chunk in chunks)


@pytest.mark.parametrize(("coding", "body"), CODED)
def test_a_body_is_read_whole_and_byte_by_byte(coding: str, body: bytes) -> None:
    assert decoded(coding, [body]) == PLAIN
    assert decoded(coding, [body[at : at + 1] for at in range(len(body))]) == PLAIN


@given(st.data())
def test_a_body_is_read_in_any_cut(choice: st.DataObject) -> None:
    coding, body = choice.draw(st.sampled_from(CODED))
    cuts = sorted(choice.draw(st.lists(st.integers(0, len(body)), max_size=4)))

    borders = [0, *cuts, len(body)]
    chunks = [body[start:end] for start, end in pairwise(borders)]

    assert decoded(coding, chunks) == PLAIN


def flushing_gzip(plain: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return compressor.compress(plain) + compressor.flush(zlib.Z_SYNC_FLUSH)


def flushing_brotli(plain: bytes) -> bytes:
    compressor = brotli.Compressor()
    return bytes(compressor.process(plain) + compressor.flush())


def flushing_zstd(plain: bytes) -> bytes:
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(plain) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


@pytest.mark.parametrize(
    ("coding", "compress"),
    [("gzip", flushing_gzip), ("br", flushing_brotli), ("zstd", flushing_zstd)],
)
def test_a_flushed_event_is_readable_before_the_end(
    coding: str, compress: Callable[[bytes], bytes]
) -> None:
    assert decoded(coding, [compress(b"event: ping\n\n")]) == b"event: ping\n\n"


@pytest.mark.parametrize("coding", ["gzip, br", "compress", "gzip,gzip", "aws-chunked"])
def test_unknown_and_several_codings_have_no_decoder(coding: str) -> None:
    assert decoder(coding) is None


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_bytes_that_do_not_fit_the_coding_are_said_to(coding: str) -> None:
    with pytest.raises(DecodeFailed):
        decoded(coding, [b"event: ping\ndata: {}\n\n" * 20])


def a_gigabyte_of_zeros() -> Iterator[bytes]:
    for _ in range(1024):
        yield bytes(1 << 20)


def gzip_bomb() -> bytes:
    compressor = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    parts = [compressor.compress(part) for part in a_gigabyte_of_zeros()]
    return b"".join([*parts, compressor.flush()])


def brotli_bomb() -> bytes:
    compressor = brotli.Compressor(quality=1)
    parts = [compressor.process(part) for part in a_gigabyte_of_zeros()]
    return b"".join([*parts, compressor.finish()])


def zstd_bomb() -> bytes:
    compressor = zstandard.ZstdCompressor(level=1).compressobj()
    parts = [compressor.compress(part) for part in a_gigabyte_of_zeros()]
    return b"".join([*parts, compressor.flush()])


def peak_kb() -> int:
    [line] = [
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    ]
    return int(line.split()[1])


@pytest.mark.parametrize(
    ("coding", "bomb"), [("gzip", gzip_bomb), ("br", brotli_bomb), ("zstd", zstd_bomb)]
)
def test_a_gigabyte_in_a_megabyte_takes_less_than_50_megabytes(
    coding: str, bomb: Callable[[], bytes]
) -> None:
    body = bomb()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before_kb = peak_kb()

    with pytest.raises(DecodeFailed):
        decoded(coding, [body])

    assert peak_kb() - before_kb < 50 << 10


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_what_is_just_within_the_bound_is_read(coding: str) -> None:
    plain = bytes(MAX_DECODED_BYTES - 1)
    compress = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "br": brotli.compress,
        "zstd": zstandard.compress,
    }[coding]

    assert decoded(coding, [compress(plain)]) == plain


def test_a_zstd_window_larger_than_http_allows_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = compressor.compress(PLAIN) + compressor.flush()

    with pytest.raises(DecodeFailed):
        decoded("zstd", [body])
