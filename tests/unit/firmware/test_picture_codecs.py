"""Pictures as full offloading sends them: lossless ones come back as they were, JPEG as near as Pillow's own."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.contracts.codecs import CODEC_IDS
from testbeds.firmware.host.hostlib import CodecLibrary, PayloadError
from testbeds.firmware.host.schemelib import HostLibrary

from .firmware_helpers import Scripted, lzw_oracle, tlv

pytestmark = pytest.mark.slow

Picture = npt.NDArray[np.uint8]
LOSSLESS = ["png", "rice"]
FULL_CHROMA = 128
PICTURE: dict[str, Any] = {
    "scheme": "pic", "graph": False, "offload": "image", "features_output": -1, "local_logits_output": -1,
    "n_symbols": 256, "symbol_table": None, "centroids": None, "channels": 3, "first_channel": 0,
    "input_shape": [24, 20, 3], "jpeg_quality": 60, "jpeg_chroma": "444",
}  # fmt: skip


@st.composite
def pictures(draw: st.DrawFn, longest: int = 40) -> Picture:
    """Flat, smooth, rough and noisy pictures of any shape."""
    height, width = draw(st.integers(1, longest)), draw(st.integers(1, longest))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    rough = draw(st.sampled_from([0, 3, 40, 255]))
    slope = draw(st.sampled_from([0.0, 1.5, 9.0]))
    base = draw(st.integers(0, 255)) + slope * np.add.outer(np.arange(height), np.arange(width))
    noise = rng.integers(-rough, rough + 1, (height, width, 3))
    return np.clip(base[..., None] + noise, 0, 255).astype(np.uint8)


def natural(height: int, width: int, seed: int = 0) -> Picture:
    """A picture with edges, gradients and a little noise, as a camera gives."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    planes = [
        128 + 70 * np.sin(x / (7 + 3 * c)) * np.cos(y / (9 - 2 * c)) + 50 * ((x - width / 2) ** 2 + y**2 < 300)
        for c in range(3)
    ]
    return np.clip(np.stack(planes, -1) + rng.normal(0, 3, (height, width, 3)), 0, 255).astype(np.uint8)


def residuals(picture: Picture) -> npt.NDArray[np.int64]:
    """Green, red less green, blue less green, each less its prediction, modulo 256: [height, width, 3] in 0..255."""
    rgb = picture.astype(np.int64)
    planes = np.stack([rgb[..., 1], rgb[..., 0] - rgb[..., 1], rgb[..., 2] - rgb[..., 1]], -1)
    guess = np.zeros_like(planes)
    guess[0, 1:] = planes[0, :-1]
    guess[1:, 0] = planes[:-1, 0]
    left, up, corner = planes[1:, :-1], planes[:-1, 1:], planes[:-1, :-1]
    guess[1:, 1:] = np.where(
        corner >= np.maximum(left, up),
        np.minimum(left, up),
        np.where(corner <= np.minimum(left, up), np.maximum(left, up), left + up - corner),
    )
    return np.asarray((planes - guess) % 256)


def png_oracle(picture: Picture) -> bytes:
    rows = residuals(picture).transpose(0, 2, 1)  # by row, plane after plane
    return bytes([picture.shape[1] - 1]) + lzw_oracle(rows.reshape(-1).tolist(), 256)


def rice_oracle(picture: Picture) -> bytes:
    signed = (residuals(picture) + 128) % 256 - 128
    numbers = np.where(signed < 0, -2 * signed - 1, 2 * signed)
    around = np.pad(numbers, ((1, 0), (1, 1), (0, 0)))
    bits = at = 0
    for y, x, plane in np.ndindex(*numbers.shape):
        above = around[y, x : x + 3, plane].sum()
        mean = int(around[y + 1, x, plane] + above + 2) // 4
        k = max(0, mean.bit_length() - 1)
        number = int(numbers[y, x, plane])
        ones = number >> k
        if ones < 12:
            code, width = (1 << ones) - 1 | (number & (1 << k) - 1) << ones + 1, ones + 1 + k
        else:
            code, width = 0xFFF | number << 12, 20
        bits |= code << at
        at += width
    return bytes([picture.shape[1] - 1]) + bits.to_bytes((at + 7) // 8, "little")


def psnr(a: Picture, b: Picture) -> float:
    error = float(np.mean((a.astype(float) - b.astype(float)) ** 2))
    return 10 * float(np.log10(255**2 / error)) if error else 99.0


def ours(codecs: CodecLibrary, picture: Picture, quality: int) -> tuple[bytes, Picture]:
    body = codecs.encode_body("jpeg", picture, 256, rows=len(picture), quality=quality)
    return body, codecs.decode_body(CODEC_IDS["jpeg"], body, 256, picture.size).reshape(picture.shape)


def pillows(picture: Picture, quality: int) -> tuple[bytes, Picture]:
    out = io.BytesIO()
    chroma = 0 if quality & FULL_CHROMA else 2
    Image.fromarray(picture).save(out, "JPEG", quality=quality & 127, subsampling=chroma)
    return out.getvalue(), np.asarray(Image.open(out))


@pytest.mark.parametrize(("codec", "oracle"), [("png", png_oracle), ("rice", rice_oracle)])
@settings(max_examples=150)
@given(picture=pictures())
def test_lossless_codecs_write_what_their_oracle_writes_and_read_it_back(
    codecs: CodecLibrary, codec: str, oracle: Callable[[Picture], bytes], picture: Picture
) -> None:
    body = codecs.encode_body(codec, picture, 256, rows=len(picture))
    assert body == oracle(picture)
    assert np.array_equal(codecs.decode_body(CODEC_IDS[codec], body, 256, picture.size), picture.reshape(-1))


@pytest.mark.parametrize("codec", LOSSLESS)
def test_the_largest_picture(codecs: CodecLibrary, codec: str) -> None:
    picture = natural(256, 256)
    body = codecs.encode_body(codec, picture, 256, rows=256)
    assert np.array_equal(codecs.decode_body(CODEC_IDS[codec], body, 256, picture.size), picture.reshape(-1))
    assert codecs.encode_body(codec, np.zeros((257, 4, 3), np.uint8), 256, rows=257) == b""
    assert codecs.encode_body(codec, np.zeros((4, 257, 3), np.uint8), 256, rows=4) == b""


def test_what_is_no_picture_is_sent_stored(codecs: CodecLibrary) -> None:
    for codec in (*LOSSLESS, "jpeg"):
        flat = np.zeros(31, np.uint8)  # no row of RGB pixels
        assert codecs.header(codecs.encode(flat, 256, codec, 0, 0)).codec == CODEC_IDS["stored"]
        few = np.zeros(48, np.uint8)
        assert codecs.header(codecs.encode(few, 4, codec, 0, 0, rows=4)).codec == CODEC_IDS["stored"]


@pytest.mark.parametrize("codec", [*LOSSLESS, "jpeg"])
@pytest.mark.parametrize("quality", [90, 100, 100 | FULL_CHROMA])
def test_noise_fits_the_buffer_and_arrives_as_it_was(codecs: CodecLibrary, codec: str, quality: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    noise[::2] = np.where(noise[::2] > 127, 255, 0)  # the hardest for a transform
    data = codecs.encode(noise, 256, codec, 1, 2, rows=32, quality=quality)
    assert len(data) <= 16 + noise.size
    if codecs.header(data).codec != CODEC_IDS["jpeg"]:
        assert np.array_equal(codecs.decode(data, 256, noise.size), noise.reshape(-1))


@pytest.mark.parametrize("size", [(32, 32), (96, 96), (8, 8), (16, 16), (1, 1), (7, 33), (17, 8), (31, 45), (96, 100)])
@pytest.mark.parametrize("quality", [1, 25, 50, 75, 90, 100])
@pytest.mark.parametrize("chroma", [0, FULL_CHROMA])
def test_jpeg_is_as_good_as_pillows_of_the_same_size(
    codecs: CodecLibrary, size: tuple[int, int], quality: int, chroma: int
) -> None:
    picture = natural(*size)
    body, back = ours(codecs, picture, quality | chroma)
    file, theirs = pillows(picture, quality | chroma)
    assert psnr(picture, back) > psnr(picture, theirs) - 0.2
    assert psnr(picture, back) > {1: 19, 25: 29, 50: 32, 75: 34, 90: 36.5, 100: 39.7}[quality]
    assert len(body) + 622 <= 1.01 * len(file) + 4


def test_the_file_of_a_body_is_one_that_any_decoder_opens(codecs: CodecLibrary) -> None:
    picture = natural(40, 24)
    body, back = ours(codecs, picture, 80)
    file = codecs.jpeg_file(body)
    with Image.open(io.BytesIO(file)) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (24, 40), "RGB")
        assert (image.info["jfif_version"], image.info.get("progressive")) == ((1, 1), None)
        reference = io.BytesIO()
        Image.fromarray(picture).save(reference, "JPEG", quality=80)
        assert image.quantization == Image.open(reference).quantization  # type: ignore[attr-defined]
        assert np.array_equal(np.asarray(image), back)
    assert len(file) == len(body) + 622


@pytest.mark.parametrize("quality", [0, 101, 127, 128])
def test_a_quality_that_is_none_sends_the_picture_stored(codecs: CodecLibrary, quality: int) -> None:
    picture = natural(32, 32)
    data = codecs.encode(picture, 256, "jpeg", 0, 0, rows=32, quality=quality)
    assert codecs.header(data).codec == CODEC_IDS["stored"]


@pytest.mark.parametrize("codec", [*LOSSLESS, "jpeg"])
@settings(max_examples=300)
@given(body=st.binary(max_size=120), rows=st.integers(1, 12), width=st.integers(1, 12))
def test_foreign_bodies_give_a_whole_picture_or_an_error(
    codecs: CodecLibrary, codec: str, body: bytes, rows: int, width: int
) -> None:
    count = 3 * rows * width
    head = bytes([width - 1]) if codec != "jpeg" else bytes([50, width - 1, rows - 1])
    for data in (body, head + body):
        try:
            assert codecs.decode_body(CODEC_IDS[codec], data, 256, count).size == count
        except PayloadError:
            continue


@pytest.mark.parametrize("codec", LOSSLESS)
@settings(max_examples=150)
@given(picture=pictures(longest=12), data=st.data())
def test_a_cut_or_longer_body_is_refused(
    codecs: CodecLibrary, codec: str, picture: Picture, data: st.DataObject
) -> None:
    body = codecs.encode_body(codec, picture, 256, rows=len(picture))
    cut = data.draw(st.integers(0, len(body) - 1))
    for wrong in (body[:cut], body + b"\0"):
        with pytest.raises(PayloadError):
            codecs.decode_body(CODEC_IDS[codec], wrong, 256, picture.size)


def test_a_jpeg_body_of_another_size_or_with_a_marker_is_refused(codecs: CodecLibrary) -> None:
    body, _ = ours(codecs, natural(16, 16), 75)
    with pytest.raises(PayloadError, match="16x16"):
        codecs.decode_body(CODEC_IDS["jpeg"], body, 256, 3 * 16 * 24)
    for marker in (b"\xff\xd9", b"\xff\xc0", b"\xff"):
        with pytest.raises(PayloadError, match="no JPEG"):
            codecs.decode_body(CODEC_IDS["jpeg"], body + marker, 256, 768)


def test_quality_is_a_setting_of_the_device(scripted: Callable[..., Scripted], codecs: CodecLibrary) -> None:
    board, picture = scripted(**PICTURE, codec="jpeg"), natural(24, 20)
    board.connect()
    for value in (b"\0", b"\x65", b"\x80", b"", b"\x10\x10"):
        assert board.ask(2, tlv((14, value)))[0] == 0x7F
    assert board.ask(2, tlv((14, b"\x14"))) == (0x82, b"")
    board.load(picture.tobytes()[:1024])
    assert board.ask(4, struct.pack("<I", 1024) + picture.tobytes()[1024:])[0] == 0x84
    board.infer(3)
    wanted = codecs.encode(picture, 256, "jpeg", 3, board.library.info.weights, rows=24, quality=20 | FULL_CHROMA)
    assert board.published == [wanted]


@pytest.mark.parametrize("codec", ["png", "rice", "jpeg"])
def test_the_device_sends_what_the_library_encodes(library_of: Callable[..., HostLibrary], codec: str) -> None:
    library = library_of(**PICTURE, codec=codec)
    images = np.stack([natural(24, 20, seed) for seed in range(3)])
    batch = library.run_many(images)
    library.run_local(images[0])
    assert library.message(5) == library.encode(
        images[0], 256, codec, 5, library.info.weights, rows=24, quality=60 | FULL_CHROMA
    )
    assert batch.codecs.tolist() == [CODEC_IDS[codec]] * 3
    arrived = batch.symbols.reshape(images.shape)
    assert np.array_equal(arrived, images) == (codec != "jpeg")
    assert all(psnr(a, b) > 30 for a, b in zip(images, arrived, strict=True))
