"""What a function expects of python-snappy: blocks and streams that others have compressed, and refusal of the rest."""

import importlib.metadata
import io
import os

import snappy

TEXT = b"The same words come again and again. " * 2_000
BLOCK = bytes.fromhex("0b2868656c6c6f20776f726c64")
"""``hello world`` as the format's description says it: its length, then one literal."""


def main() -> None:
    assert importlib.metadata.version("python-snappy")
    blocks()
    streams()
    damage()


def blocks() -> None:
    assert snappy.uncompress(BLOCK) == b"hello world"
    packed = snappy.compress(TEXT)
    assert len(packed) < len(TEXT) // 10
    assert snappy.isValidCompressed(packed)
    assert snappy.uncompress(packed) == TEXT
    noise = os.urandom(100_000)
    assert snappy.uncompress(snappy.compress(noise)) == noise


def streams() -> None:
    packed = io.BytesIO()
    snappy.stream_compress(io.BytesIO(TEXT), packed)
    packed.seek(0)
    assert packed.getvalue().startswith(b"\xff\x06\x00\x00sNaPpY")
    plain = io.BytesIO()
    snappy.stream_decompress(packed, plain)
    assert plain.getvalue() == TEXT


def damage() -> None:
    refused = ""
    try:
        snappy.uncompress(BLOCK[:-1])
    except snappy.UncompressError as error:
        refused = str(error)
    assert refused
    assert not snappy.isValidCompressed(b"\xff" * 20)


main()
