import google_crc32c
import pytest

from flags.errors import UserError
from records.images.extents import Extent, read_extent
from records.images.files import read_image, read_unchanged


def test_the_bytes_of_an_extent_and_no_other(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(b"before" + b"photo" + b"behind")
    extent = Extent(str(path), 6, 5)
    assert read_extent(extent) == read_image("", "a/1.jpg", extent=extent) == b"photo"
    path.write_bytes(b"before" + b"other" + b"behind")
    with pytest.raises(UserError, match=r"a\.tar changed .* \(the bytes of 'a/1.jpg'\); run it again with --overwrite"):
        read_unchanged("", "a/1.jpg", 1, extent=extent)
    path.write_bytes(b"before" + b"ph")
    with pytest.raises(UserError, match="it is shorter than it was"):
        read_extent(extent)
    path.write_bytes(b"before" + bytes(5))
    with pytest.raises(UserError, match="it does not hold what was written to it"):
        read_extent(extent._replace(crc32c=google_crc32c.value(b"photo")))
    path.unlink()
    with pytest.raises(UserError, match=r"a\.tar cannot be read \(No such file"):
        read_extent(extent)
