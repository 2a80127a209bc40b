"""What JPEG files are and whether they are whole, by libjpeg-turbo's own warnings.

JPEG has no checksums, and most readers, Pillow and TensorFlow among them, fill what they cannot decode with grey
or with garbage. libjpeg-turbo notices more than they tell; through simplejpeg's strict mode its warnings count.
"""

import dataclasses
import struct

import numpy as np
import simplejpeg

from records.images import limits
from records.images.files import BadImage

_END = "Premature end"  # libjpeg's words for a file that ends without the marker of its end
_CORRUPT = ("Corrupt JPEG data", _END)  # and for data that is not what was written
SCAN = b"\xff\xda\x00"
"""What every scan begins with: its header is at most 14 bytes long, so the first byte of its length is 0."""
_APP1, _START_OF_SCAN = 0xE1, 0xDA


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """What the segments before the pixels say.

    Attributes:
      process: its start-of-frame marker, 0xC0 to 0xCF (ITU-T T.81, table B.1).
      bits: of a sample.
      components: 1 grey, 3 colour, 4 CMYK.
      has_app1: whether EXIF or XMP may say that the image is to be turned.
    """

    process: int
    bits: int
    height: int
    width: int
    components: int
    has_app1: bool

    @property
    def is_huffman(self) -> bool:
        """Whether it is of the processes that TensorFlow decodes: baseline, extended or progressive Huffman."""
        return 0xC0 <= self.process <= 0xC2


def read_frame(data: bytes) -> Frame | None:
    """The frame of a JPEG file; None where its segments are out of order."""
    offset, has_app1 = 2, False
    found: tuple[int, int, int, int, int] | None = None
    while offset + 4 <= len(data) and data[offset] == 0xFF:
        marker = data[offset + 1]
        if marker == 0xFF:  # fill byte
            offset += 1
            continue
        if marker == _START_OF_SCAN:
            return Frame(*found, has_app1) if found else None
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if offset + 10 > len(data) or found:
                return None
            bits, height, width, components = struct.unpack_from(">BHHB", data, offset + 4)
            found = (marker, bits, height, width, components)
        has_app1 |= marker == _APP1
        offset += 2 + struct.unpack_from(">H", data, offset + 2)[0]
    return None


def has_too_many_scans(data: bytes) -> bool:
    """Whether decoding a JPEG may take minutes; scans of a thumbnail in its EXIF count as well."""
    return data.count(SCAN) > limits.MAX_SCANS


def decode(data: bytes, buffer: np.ndarray | None = None) -> np.ndarray | None:
    """uint8 [height, width, 3] RGB, in `buffer` where one is given; None where libjpeg finds the file odd but whole.

    Raises:
      BadImage: libjpeg had to make up pixels.
    """
    return _decode(data, "RGB", buffer)


def decode_eighth(data: bytes, buffer: np.ndarray | None = None) -> np.ndarray | None:
    """The same of the picture at an eighth of its size, rounded up: the means of its blocks of 8 x 8 pixels.

    Every coefficient is read, so that the same files are found damaged. Only their inverse transform is saved, which
    is half of the time.
    """
    return _decode(data, "RGB", buffer, min_height=1, min_width=1)


def check_cmyk(data: bytes) -> None:
    """Raises BadImage where libjpeg has to make up pixels of a file whose colours are not RGB."""
    _decode(data, "CMYK", None)


def _decode(data: bytes, colorspace: str, buffer: np.ndarray | None, **scale: int) -> np.ndarray | None:
    try:
        return simplejpeg.decode_jpeg(data, colorspace, buffer=buffer, strict=True, **scale)
    except ValueError as error:
        if str(error).startswith(_CORRUPT):
            what = "the file is cut off" if str(error).startswith(_END) else str(error)
            raise BadImage(f"JPEG data is corrupt: {what}") from error
        return None
