"""Sixty uploads that nobody means well with: each is refused, none is a fault of the server."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from serving import noise
from starlette.testclient import TestClient

GOOD = noise(1, 32)
RGB = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)


def image(kind: str, **how: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(RGB).save(stream, kind, **how)
    return stream.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)


def png(
    width: int, height: int, *, depth: int = 8, kind: int = 0, data: bytes = b"", more: bytes = b""
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"".join([
        b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), more,
        chunk(b"IDAT", data or zlib.compress(b"\0" * 10_000_000)), chunk(b"IEND", b""),
    ])  # fmt: skip


def bmp(width: int, height: int) -> bytes:
    head = struct.pack("<2sIHHI", b"BM", 54, 0, 0, 54)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def gif(width: int, height: int) -> bytes:
    body = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02D\x01\0;"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0" * 6 + body


def tiff(*tags: tuple[int, int, int, int], data: bytes = b"") -> bytes:
    body = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0\x08\0\0\0" + body + b"\0\0\0\0" + data


def jpeg_saying(width: int, height: int) -> bytes:
    good = image("JPEG")
    at = good.index(b"\xff\xc0")
    return good[: at + 5] + struct.pack(">HH", height, width) + good[at + 9 :]


def frames() -> bytes:
    stream = io.BytesIO()
    some = [Image.fromarray(np.full((8, 8), n * 60, np.uint8)) for n in range(3)]
    some[0].save(stream, "GIF", save_all=True, append_images=some[1:])
    return stream.getvalue()


def zipped(name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, b"x" * 1000)
    return stream.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
XXE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>'
HUGE = (1 << 15) - 1

UPLOADS: dict[str, Callable[[], bytes]] = {
    # bombs
    "png of 4 Gpx": lambda: png(65535, 65535),
    "png of 2^31 a side": lambda: png(2**31 - 1, 2**31 - 1),
    "png of 60 Mpx, which decodes": lambda: png(
        10_000, 6_000, data=zlib.compress(b"\0" * (10_001 * 6_000), 9)
    ),
    "png of 1 × 2^31": lambda: png(1, 2**31 - 1),
    "png of no width": lambda: png(0, 10),
    "16-bit png of 4 Gpx": lambda: png(65535, 65535, depth=16, kind=2),
    "interlaced header of 4 Gpx": lambda: png(65535, 65535, kind=6),
    "bmp of 4 Gpx": lambda: bmp(65535, 65535),
    "bmp of negative width": lambda: bmp(-5, 5),
    "bmp of greatest height": lambda: bmp(1, 2**31 - 1),
    "gif of 4 Gpx": lambda: gif(65535, 65535),
    "jpeg of 4 Gpx": lambda: jpeg_saying(65535, 65535),
    "jpeg of no height": lambda: jpeg_saying(40, 0),
    "tiff of 4 Gpx": lambda: tiff(
        (256, 4, 1, 65535), (257, 4, 1, 65535), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, 8), (279, 4, 1, 8),
    ),
    "webp of 16383 a side": lambda: (
        b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x3f\0\xff\x3f\0VP8 \0\0\0\0"
    ),
    "ppm of 10^9 a side": lambda: b"P6 1000000000 1000000000 255\n" + b"\0" * 100,
    "ppm of 400 digits": lambda: b"P6 " + b"9" * 400 + b" 1 255\n",
    "png with a text bomb": lambda: png(
        8, 8, more=chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 80_000_000))
    ),
    "png with a profile bomb": lambda: png(
        8, 8, data=b"x", more=chunk(b"iCCP", b"a\0\0" + zlib.compress(b"x" * 80_000_000))
    ),
    "gzip bomb": lambda: gzip.compress(b"\0" * 20_000_000),
    # truncated and corrupt
    "png, its first half": lambda: GOOD[: len(GOOD) // 2],
    "png, its signature alone": lambda: GOOD[:8],
    "png, its header alone": lambda: GOOD[:33],
    "png, a wrong checksum": lambda: GOOD[:40] + b"\0\0\0\0" + GOOD[44:],
    "png without data": lambda: GOOD[:33] + chunk(b"IEND", b""),
    "png, data too short": lambda: png(64, 64, data=zlib.compress(b"\0" * 100)),
    "png, data that is no zlib": lambda: png(64, 64, data=b"not zlib at all"),
    "png, a chunk of 2 GB": lambda: GOOD[:33] + struct.pack(">I", 2**31 - 1) + b"IDAT",
    "jpeg, its first half": lambda: image("JPEG")[:700],
    "jpeg, its first 3 bytes": lambda: b"\xff\xd8\xff",
    "jpeg, zeros": lambda: image("JPEG")[:20] + b"\0" * 2000,
    "jpeg without scan": lambda: image("JPEG").split(b"\xff\xda")[0],
    "gif, its first 10 bytes": lambda: image("GIF")[:10],
    "bmp, its header alone": lambda: image("BMP")[:54],
    "tiff, its first half": lambda: image("TIFF")[:1000],
    "tiff that points at itself": lambda: b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
    "tiff that points beyond": lambda: b"II*\0\xff\xff\xff\x7f",
    "webp, its first half": lambda: image("WEBP")[:60],
    "webp, its first 12 bytes": lambda: image("WEBP")[:12],
    "ppm without pixels": lambda: b"P6 10 10 255\n",
    # other types
    "nothing": lambda: b"",
    "one byte": lambda: b"x",
    "text": lambda: b"cat.jpg\n",
    "svg with a script": lambda: SVG,
    "svg that reads a file": lambda: XXE,
    "html": lambda: b"<html><script>fetch('http://evil.example')</script></html>",
    "pdf": lambda: b"%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript>>>>endobj",
    "zip": lambda: zipped("cat.png"),
    "zip with a path": lambda: zipped("../../etc/cron.d/x"),
    "elf": lambda: b"\x7fELF\x02\x01\x01" + b"\0" * 100,
    "pickle": lambda: b"cos\nsystem\n(S'echo run'\ntR.",
    "postscript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run",
    "json": lambda: b'{"image": "file:///etc/passwd"}',
    "psd": lambda: b"8BPS\0\1" + b"\0" * 60,
    "several frames": frames,
    # polyglots and paths
    "script, then png": lambda: b"#!/bin/sh\nrm -rf /\n" + GOOD,
    "zip named png": lambda: b"PK\x03\x04" + GOOD,
    "gif that is a script": lambda: b"GIF89a/*" + b"*/=1;alert(1)//",
    "a path": lambda: b"../../../../etc/passwd",
    "a form with a file": lambda: (
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="../../x.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + GOOD + b"\r\n--x--\r\n"
    ),
}  # fmt: skip


def test_there_are_sixty() -> None:
    assert len(UPLOADS) >= 60


@pytest.mark.parametrize("name", UPLOADS)
def test_it_is_refused(client: TestClient, name: str) -> None:
    content = UPLOADS[name]()
    for path in ("/predict", "/api/look"):
        answer = client.post(path, content=content)
        assert answer.status_code in (413, 422), answer.text
        error = answer.json()["error"]
        assert "\n" not in error
        assert "Traceback" not in error
        assert len(error) < 400


def test_a_gigabyte_is_refused_before_it_is_read(client: TestClient) -> None:
    answer = client.post("/predict", content=b"x", headers={"content-length": "1000000000"})
    assert answer.status_code == 413
    assert "1,000,000,000 bytes are announced" in answer.json()["error"]


def test_the_server_is_as_it_was(client: TestClient) -> None:
    assert client.post("/predict", content=GOOD).status_code == 200
