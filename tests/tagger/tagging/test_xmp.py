"""Side-cars, read back by an XML parser and, behind a marker, by exiftool and exiv2 (Debian: libimage-exiftool-perl,
exiv2)."""

import json
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from flags.errors import UserError
from tagger.tagging.xmp import sidecar_path, write
from tests.records.inputs import PHOTOS

NAMES = {"rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "dc": "http://purl.org/dc/elements/1.1/",
         "xmp": "http://ns.adobe.com/xap/1.0/", "lr": "http://ns.adobe.com/lightroom/1.0/"}
# As another program writes them: a rating as an attribute, a hierarchy of keywords, a title, no packet around it.
FOREIGN = """<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 6.0">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/" xmp:Rating="4">
   <dc:subject><rdf:Bag><rdf:li>Anna</rdf:li><rdf:li>dog</rdf:li></rdf:Bag></dc:subject>
   <lr:hierarchicalSubject><rdf:Bag><rdf:li>people|Anna</rdf:li></rdf:Bag></lr:hierarchicalSubject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""


def subjects(path) -> list[str]:
    return [item.text for item in ElementTree.parse(path).getroot().findall(".//dc:subject/rdf:Bag/rdf:li", NAMES)]


def test_a_side_car_is_made_beside_the_photo_with_every_tag_once(tmp_path):
    path = sidecar_path(str(tmp_path / "one.jpg"))
    assert path == str(tmp_path / "one.jpg.xmp")
    tags = ["dog", "New York", "<b> & \"c\"", "犬", "dog"]
    assert write(path, tags) == tags[:4] == subjects(path)
    before = (tmp_path / "one.jpg.xmp").read_bytes()
    assert write(path, ["dog"]) == tags[:4] and (tmp_path / "one.jpg.xmp").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["one.jpg.xmp"]


def test_what_is_in_a_side_car_stays(tmp_path):
    """That of Lightroom's name is used, and no second one is made."""
    (tmp_path / "one.xmp").write_text(FOREIGN)
    path = sidecar_path(str(tmp_path / "one.jpg"))
    assert path == str(tmp_path / "one.xmp")
    assert write(path, ["dog", "beach"]) == ["Anna", "dog", "beach"] == subjects(path)
    text = (tmp_path / "one.xmp").read_text()
    assert 'xmp:Rating="4"' in text and "lr:hierarchicalSubject" in text and "people|Anna" in text
    assert 'x:xmptk="XMP Core 6.0"' in text


def test_a_description_without_keywords_gets_them(tmp_path):
    (tmp_path / "a.xmp").write_text(FOREIGN.replace("dc:subject", "dc:title").replace("rdf:Bag", "rdf:Alt"))
    assert write(str(tmp_path / "a.xmp"), ["dog"]) == ["dog"] == subjects(tmp_path / "a.xmp")


@pytest.mark.parametrize("text", ["", "no xml", "<x:xmpmeta xmlns:x='adobe:ns:meta/'>", "<html></html>"])
def test_what_is_no_side_car_is_left_alone(tmp_path, text):
    (tmp_path / "a.xmp").write_text(text)
    with pytest.raises(UserError, match="a.xmp: is no XMP side-car"):
        write(str(tmp_path / "a.xmp"), ["dog"])
    assert (tmp_path / "a.xmp").read_text() == text


@pytest.mark.exiftool
def test_exiftool_and_exiv2_read_them(tmp_path):
    shutil.copy(PHOTOS[0], tmp_path / "one.jpg")
    (tmp_path / "two.xmp").write_text(FOREIGN)
    paths = [sidecar_path(str(tmp_path / name)) for name in ("one.jpg", "two.jpg")]
    for path in paths:
        write(path, ["dog", "New York"])
    shown = subprocess.run(["exiftool", "-json", "-XMP:all", *paths], capture_output=True, text=True, check=True)
    one, two = json.loads(shown.stdout)
    assert one["Subject"] == ["dog", "New York"]
    assert two["Subject"] == ["Anna", "dog", "New York"] and two["Rating"] == 4
    assert two["HierarchicalSubject"] == "people|Anna"
    valid = subprocess.run(["exiftool", "-validate", "-warning", *paths], capture_output=True, text=True, check=True)
    assert "Warning" not in valid.stdout, valid.stdout
    shown = subprocess.run(["exiv2", "-K", "Xmp.dc.subject", "-Pt", "print", *paths], capture_output=True, text=True,
                           check=True)
    assert [line.split("  ")[-1] for line in shown.stdout.splitlines()] == ["dog, New York", "Anna, dog, New York"]
