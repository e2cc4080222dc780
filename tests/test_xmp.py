"""xmp.py: the mark is merged, nothing else is lost, and hostile packets are refused."""

from __future__ import annotations

import pytest

import image_samples as samples
from image_samples import MARK, TOOL, XMP, as_pages, attributes, grey8
from tintype.images import encode_image, read_image
from tintype.images.xmp import BROKEN_XMP, SOURCE_TYPE, is_marked, updated_xmp


@pytest.mark.parametrize(
    "packet",
    [
        b"<broken",
        b"no xml at all",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
        + XMP[XMP.index(b"<x:") :].replace(b"Old scanner", b"&b;"),
        b"<a>" * 5000 + b"</a>" * 5000,
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>".encode("utf-16"),
    ],
)
def test_damaged_and_hostile_xmp_is_replaced_and_noted(packet: bytes) -> None:
    fresh, note = updated_xmp(packet, MARK)
    assert note == BROKEN_XMP
    assert fresh is not None
    assert attributes(fresh)[TOOL] == [MARK]
    assert not is_marked(packet)
    picture = read_image(samples.pillow(grey8(), "JPEG", xmp=packet))
    assert BROKEN_XMP in encode_image(picture, as_pages(picture), mark=MARK)[1]


def test_xmp_that_needs_no_change_stays_byte_for_byte() -> None:
    plain = XMP.replace(b'tiff:Orientation="6"', b"")
    assert updated_xmp(plain, None) == (plain, None)
    turned, _ = updated_xmp(XMP, None)
    assert turned is not None
    assert b"Orientation" not in turned
    space = b'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:'
    grey = plain.replace(b"<rdf:Description ", b"<rdf:Description " + space + b'ColorMode="1" ', 1)
    assert grey != plain
    coloured, _ = updated_xmp(grey, None)
    assert coloured is not None
    assert b"ColorMode" not in coloured
    assert updated_xmp(None, None) == (None, None)


@pytest.mark.parametrize(
    ("tool", "kind", "marked"),
    [
        (MARK, SOURCE_TYPE, True),
        ("Tintype 9.9 (other 3)", SOURCE_TYPE, True),
        ("Photoshop", SOURCE_TYPE, False),
        (MARK, "http://example.org/tintype", False),
        ("Tintypes of old", SOURCE_TYPE, False),
    ],
)
def test_only_our_own_marks_are_recognised(tool: str, kind: str, marked: bool) -> None:
    packet, _ = updated_xmp(None, MARK)
    assert packet is not None
    changed = packet.replace(MARK.encode(), tool.encode()).replace(
        SOURCE_TYPE.encode(), kind.encode()
    )
    assert is_marked(changed) is marked


def test_a_mark_with_special_characters_survives() -> None:
    packet, _ = updated_xmp(XMP, 'Tintype 1 (a<b> & "c" 1)')
    assert packet is not None
    assert attributes(packet)[TOOL] == ['Tintype 1 (a<b> & "c" 1)']
