"""XMP packets: Tintype's mark merged in, what the new pixels make untrue taken out."""

from __future__ import annotations

from xml.dom import minidom
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's word for a picture partly made by a trained network; its value is the full URI."""

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XMP = "http://ns.adobe.com/xap/1.0/"
_IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_TIFF = "http://ns.adobe.com/tiff/1.0/"
_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
_EXIF = "http://ns.adobe.com/exif/1.0/"
_MARK = ((_XMP, "CreatorTool"), (_IPTC_EXT, "DigitalSourceType"))
# The thumbnail would show the uncoloured picture; the orientation has been applied, which may have
# exchanged the sides; the result is RGB, whatever the original's profile was.
_STALE_XMP = (
    (_TIFF, "Orientation"),
    (_XMP, "Thumbnails"),
    (_EXIF, "PixelXDimension"),
    (_EXIF, "PixelYDimension"),
    (_PHOTOSHOP, "ColorMode"),
    (_PHOTOSHOP, "ICCProfile"),
)

_DEEPEST = 100  # levels of XML; real packets have about ten

BROKEN_XMP = "its XMP was damaged and has been written anew"


class _UnsafeXmpError(Exception):
    """The packet declares a document type, which could hold entities without end, or nests on."""


def _parsed(xmp: bytes) -> minidom.Document | None:
    """The packet's tree; None when it is damaged or declares entities."""
    packet = xmp.strip(b"\0 \r\n\t")
    guard = expat.ParserCreate()
    depth = 0

    def refuse(*_: object) -> None:
        raise _UnsafeXmpError

    def enter(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise _UnsafeXmpError

    def leave(*_: object) -> None:
        nonlocal depth
        depth -= 1

    guard.StartDoctypeDeclHandler = refuse
    guard.StartElementHandler, guard.EndElementHandler = enter, leave
    try:
        guard.Parse(packet, True)
        return minidom.parseString(packet)
    except (_UnsafeXmpError, expat.ExpatError, ValueError, LookupError):
        return None


def _descriptions(tree: minidom.Document) -> list[minidom.Element]:
    return [
        d
        for rdf in tree.getElementsByTagNameNS(_RDF, "RDF")
        for d in rdf.childNodes
        if isinstance(d, minidom.Element) and _named(d, _RDF, "Description")
    ]


def _named(node: minidom.Node, space: str, name: str) -> bool:
    return (node.namespaceURI, node.localName) == (space, name)


def _property(tree: minidom.Document, space: str, name: str) -> str | None:
    for description in _descriptions(tree):
        if description.hasAttributeNS(space, name):
            return str(description.getAttributeNS(space, name))
        for child in description.childNodes:
            if isinstance(child, minidom.Element) and _named(child, space, name):
                if child.hasAttributeNS(_RDF, "resource"):
                    return str(child.getAttributeNS(_RDF, "resource"))
                return "".join(n.data for n in child.childNodes if isinstance(n, minidom.Text))
    return None


def _remove(tree: minidom.Document, space: str, name: str) -> bool:
    """Take a property out wherever it stands; whether there was one."""
    found = False
    for description in _descriptions(tree):
        if description.hasAttributeNS(space, name):
            description.removeAttributeNS(space, name)
            found = True
        for child in list(description.childNodes):
            if _named(child, space, name):
                description.removeChild(child)
                found = True
    return found


def is_marked(xmp: bytes | None) -> bool:
    """Whether an XMP packet says that Tintype made the picture."""
    return mark_of(xmp) is not None


def mark_of(xmp: bytes | None) -> str | None:
    """The mark in an XMP packet, such as "Tintype 0.1.0 (tintype 2)", or None."""
    tree = _parsed(xmp) if xmp and b"intype" in xmp.replace(b"\0", b"") else None
    if tree is None:
        return None
    tool = _property(tree, *_MARK[0]) or ""
    made = tool.startswith("Tintype ") and _property(tree, *_MARK[1]) == SOURCE_TYPE
    return tool if made else None


def _description(mark: str, about: str) -> str:
    return (
        f'<rdf:Description xmlns:rdf="{_RDF}" rdf:about={quoteattr(about)}'
        f' xmlns:xmp="{_XMP}" xmlns:Iptc4xmpExt="{_IPTC_EXT}" xmp:CreatorTool={quoteattr(mark)}'
        f' Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/>'
    )


def _fresh(mark: str) -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">'
        f'{_description(mark, "")}</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def updated_xmp(xmp: bytes | None, mark: str | None) -> tuple[bytes | None, str | None]:
    """Merge the mark into an XMP packet and take out what the new pixels make untrue.

    Args:
        xmp: the original's packet.
        mark: the value of xmp:CreatorTool, such as "Tintype 0.1.0 (tintype 2)"; None: no mark.

    Returns:
        The packet, byte for byte the old one when nothing in it had to change, and a note when
        the old one was damaged.
    """
    if xmp is None:
        return (_fresh(mark) if mark else None), None
    tree = _parsed(xmp)
    rdf = tree.getElementsByTagNameNS(_RDF, "RDF") if tree else []
    if tree is None or not rdf:
        return (_fresh(mark) if mark else None), BROKEN_XMP
    gone = [_remove(tree, *name) for name in _STALE_XMP]
    if mark is None:
        return (_text(tree) if any(gone) else xmp), None
    for name in _MARK:
        _remove(tree, *name)
    old = _descriptions(tree)
    about = old[0].getAttributeNS(_RDF, "about") if old else ""
    own = minidom.parseString(_description(mark, about).encode()).documentElement
    if own is not None:
        rdf[0].appendChild(tree.importNode(own, True))
    return _text(tree), None


def _text(tree: minidom.Document) -> bytes:
    return "".join(_serialised(n) for n in tree.childNodes).encode()


def _serialised(node: minidom.Node) -> str:
    """XML of a node; unlike minidom's own writer, line breaks in attributes survive."""
    if isinstance(node, minidom.Text):
        return escape(node.data, {"\r": "&#13;"})
    if not isinstance(node, minidom.Element):
        return str(node.toxml())
    pairs = node.attributes.items() if node.attributes else []
    attributes = "".join(f" {k}={quoteattr(v)}" for k, v in pairs)
    inner = "".join(_serialised(n) for n in node.childNodes)
    return f"<{node.tagName}{attributes}>{inner}</{node.tagName}>"
