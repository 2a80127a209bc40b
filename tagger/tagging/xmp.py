"""Tags as keywords in XMP side-cars, which digiKam, darktable, Lightroom and exiftool read.

    write(sidecar_path("holiday/one.jpg"), ["dog", "New York"])       # holiday/one.jpg.xmp

The photo itself is never touched. Keywords go to `dc:subject`; what else a side-car holds stays as it is, keywords that
people gave included. A side-car that another program made for the photo is used where there is one, under either of
the two names that are in use: photo.jpg.xmp (digiKam, darktable) or photo.xmp (Lightroom).

Adobe, "XMP Specification Part 1", 2012 (ISO 16684-1): rdf:Description with dc:subject as an rdf:Bag.
"""

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

from flags.errors import UserError
from records.util.atomic_files import write_atomic

_META = "adobe:ns:meta/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC = "http://purl.org/dc/elements/1.1/"
# What the packet begins and ends with tells programs where it is, and that it may be written to.
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_END = '\n<?xpacket end="w"?>\n'


def sidecar_path(photo: str) -> str:
    """Where a photo's side-car is, or is to be."""
    own, shared = f"{photo}.xmp", f"{os.path.splitext(photo)[0]}.xmp"
    return shared if os.path.exists(shared) and not os.path.exists(own) else own


def write(path: str, tags: Sequence[str]) -> list[str]:
    """Adds tags to the keywords of a side-car, which is made where there is none.

    Returns:
      All keywords that it has now, those that were there first.

    Raises:
      UserError: there is a file that is no XMP, or the folder cannot be written to.
    """
    names, root = _read(path)
    bag = _bag(root)
    keywords = [item.text or "" for item in bag]
    new = [tag for tag in dict.fromkeys(tags) if tag not in keywords]
    for tag in new:
        ElementTree.SubElement(bag, f"{{{_RDF}}}li").text = tag
    if new or not os.path.exists(path):
        for prefix, uri in {"x": _META, "rdf": _RDF, "dc": _DC, **names}.items():
            ElementTree.register_namespace(prefix, uri)
        text = ElementTree.tostring(root, encoding="unicode")
        try:
            write_atomic(path, f"{_BEGIN}{text}{_END}")
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror}); photos in a folder that may not be written "
                            "to get no side-cars") from error
    return keywords + new


def _read(path: str) -> tuple[dict[str, str], ElementTree.Element]:
    """The namespaces of a side-car by their prefixes, so that it keeps them, and its content; an empty one's if new."""
    if not os.path.exists(path):
        root = ElementTree.Element(f"{{{_META}}}xmpmeta")
        ElementTree.SubElement(root, f"{{{_RDF}}}RDF")
        return {}, root
    names: dict[str, str] = {}
    first: ElementTree.Element | None = None
    try:
        for event, value in ElementTree.iterparse(path, ("start-ns", "start")):
            if event == "start-ns":
                if value[0] and not value[0].startswith("ns"):
                    names[value[0]] = value[1]
            elif first is None:
                first = value
    except (ElementTree.ParseError, OSError, LookupError) as error:
        raise UserError(f"{path}: is no XMP side-car that can be added to ({error}); move it away") from error
    if first is None or first.tag not in (f"{{{_META}}}xmpmeta", f"{{{_RDF}}}RDF"):
        raise UserError(f"{path}: is no XMP side-car; move it away")
    return names, first


def _bag(root: ElementTree.Element) -> ElementTree.Element:
    """What holds the keywords; made where there is nothing."""
    rdf = root if root.tag == f"{{{_RDF}}}RDF" else root.find(f"{{{_RDF}}}RDF")
    if rdf is None:
        rdf = ElementTree.SubElement(root, f"{{{_RDF}}}RDF")
    descriptions = rdf.findall(f"{{{_RDF}}}Description")
    for description in descriptions:
        subject = description.find(f"{{{_DC}}}subject")
        bag = None if subject is None else subject.find(f"{{{_RDF}}}Bag")
        if bag is not None:
            return bag
    about = {f"{{{_RDF}}}about": ""}
    description = descriptions[0] if descriptions else ElementTree.SubElement(rdf, f"{{{_RDF}}}Description", about)
    subject = description.find(f"{{{_DC}}}subject")
    if subject is None:
        subject = ElementTree.SubElement(description, f"{{{_DC}}}subject")
    return ElementTree.SubElement(subject, f"{{{_RDF}}}Bag")
