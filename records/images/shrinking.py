"""Photos as make_records keeps them with --store_size: no larger than training looks at.

    data, height, width = shrink(data, 256)          # short side 256, JPEG of quality 95

Where photos are decoded anew in every epoch, of a 500 pixel photo most of the bytes and of the decoding are for detail
that the backbone never sees.
"""

import io
import warnings

from PIL import Image

from records.images.validation import check_image

_QUALITY = 95


def shrink(data: bytes, short_side: int) -> tuple[bytes, int, int]:
    """An image whose shorter side has at most `short_side` pixels, with its height and width.

    Args:
      data: as `check_image` calls it storable: upright JPEG or PNG, grey or RGB.

    Returns:
      `data` itself where it is small enough; otherwise a JPEG of quality 95, reduced by a bicubic filter over all
      pixels, its aspect ratio kept to a pixel.

    Raises:
      BadImage: it cannot be decoded.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about large images: their size has been checked
        image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG"))
        width, height = image.size
        if min(width, height) <= short_side:
            return data, height, width
        scale = short_side / min(width, height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        try:
            # Twice the size, where libjpeg can leave out the rest, keeps the filter the step that decides.
            image.draft(image.mode, (2 * size[0], 2 * size[1]))
            image.load()
        except OSError:  # damage that other decoders see past
            return shrink(check_image(data, reencode=True).storable, short_side)
    out = io.BytesIO()
    image.resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=_QUALITY)
    return out.getvalue(), size[1], size[0]
