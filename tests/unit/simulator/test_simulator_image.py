"""Images for simulated devices: what is made is read in any parts, and what is not whole is told."""

from __future__ import annotations

import hashlib
import itertools
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_simulator.image import Damaged, Image, InvalidImage, NotAnImage, Reader, make


def read(*parts: bytes) -> Image:
    reader = Reader()
    for part in parts:
        reader.feed(part)
    return reader.finish()


def test_an_image_is_put_together_as_the_page_says() -> None:
    image = make("thermometer", "2.0.0", 200, fault="quiet")
    texts = b'{"name": "thermometer", "version": "2.0.0", "fault": "quiet"}'
    assert image[:7] == b"FNFW\x01" + len(texts).to_bytes(2)
    assert image[7 : 7 + len(texts)] == texts
    assert (len(image), image[-4:]) == (200, zlib.crc32(image[:-4]).to_bytes(4))
    assert make("thermometer", "2.0.0", 200, fault="quiet") == image
    assert make("thermometer", "2.0.0", 200, fault="quiet", seed=1)[-60:-4] != image[-60:-4]


@given(cuts=st.lists(st.integers(0, 300), max_size=12))
def test_it_is_read_in_whatever_parts_it_comes(cuts: list[int]) -> None:
    image = make("thermometer", "2.0.0", 300)
    edges = [0, *sorted(cuts), 300]
    parts = [image[first:last] for first, last in itertools.pairwise(edges)]
    digest = hashlib.sha256(image).hexdigest()
    assert read(*parts) == Image("thermometer", "2.0.0", None, 300, digest)


@pytest.mark.parametrize("at", [7, 20, 100, 296, 299])
def test_a_wrong_byte_is_found(at: int) -> None:
    image = bytearray(make("thermometer", "2.0.0", 300))
    image[at] ^= 1
    with pytest.raises((Damaged, NotAnImage)):
        read(bytes(image))


@pytest.mark.parametrize("cut", [-1, 100, 10, 3, 0])
def test_an_image_that_is_cut_short_is_none(cut: int) -> None:
    with pytest.raises((Damaged, NotAnImage)):
        read(make("thermometer", "2.0.0", 300)[:cut])


@pytest.mark.parametrize("data", [b"", b"FN", bytes(300), b"FNFW\x02\x00\x02{}", b"FNFW\x01\x00\x02[]" + bytes(9)])
def test_other_bytes_are_no_image(data: bytes) -> None:
    with pytest.raises(NotAnImage):
        read(data)


def test_what_cannot_be_an_image_is_refused() -> None:
    with pytest.raises(InvalidImage, match="the smallest image of this name and version has 40 bytes"):
        make("a", "1", 39)
    with pytest.raises(InvalidImage, match="the version has 1 to 255"):
        make("a", "", 100)
