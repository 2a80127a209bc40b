"""Members of tars as tarfile, an implementation of its own, finds them."""

import gzip
import io
import tarfile

import pytest

from records.sources.tar_members import BadTar, members

NAMES = ["a.jpg", "deep/" * 30 + "b.jpg", "x" * 150 + ".txt", "é ü/ö.jpg", "c d.JPG", "./e.txt"]


def tar(form, **fields):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as file:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        file.addfile(folder)
        for index, name in enumerate(NAMES):
            member = tarfile.TarInfo(name if form != tarfile.USTAR_FORMAT else name[-90:])
            member.size = index * 300
            for field, value in fields.items():
                setattr(member, field, value)
            file.addfile(member, io.BytesIO(bytes([65 + index]) * member.size))
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname, link.size = tarfile.LNKTYPE, "a.jpg", 7
        file.addfile(link)
    return buffer.getvalue()


@pytest.mark.parametrize("data", [
    tar(tarfile.GNU_FORMAT), tar(tarfile.PAX_FORMAT, mtime=1.5), tar(tarfile.USTAR_FORMAT),
    tar(tarfile.PAX_FORMAT, uid=1 << 40, uname="ü" * 200), tar(tarfile.GNU_FORMAT, uid=1 << 40)],
    ids=["gnu", "pax", "ustar", "large pax fields", "base 256"])
def test_the_same_members_as_tarfile(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as file:
        expected = [(member.name, member.offset_data, member.size) for member in file if member.isreg()]
    assert len(expected) == len(NAMES)
    assert list(members(io.BytesIO(data), len(data))) == expected
    stream = gzip.open(io.BytesIO(gzip.compress(data)))
    assert [stream.read(member.size)[:1] for member in members(stream)] == [b"", b"B", b"C", b"D", b"E", b"F"]


def test_tars_behind_one_another_and_what_follows_the_end():
    data = tar(tarfile.GNU_FORMAT)
    assert len(list(members(io.BytesIO(data + data)))) == 2 * len(NAMES)
    assert len(list(members(io.BytesIO(data + b"rubbish" * 99)))) == len(NAMES)


def test_what_is_cut_or_damaged_is_told_after_what_is_whole():
    data = tar(tarfile.GNU_FORMAT)
    end = len(data.rstrip(b"\0"))
    for size in (*range(1, 512, 73), *range(512, end, 331), end):
        with pytest.raises(BadTar):
            list(members(io.BytesIO(data[:size]), size))
        with pytest.raises(BadTar), gzip.open(io.BytesIO(gzip.compress(data[:size]))) as stream:
            list(members(stream))
    for index in (0, 100, 130, 150, 300):
        broken = bytearray(data)
        broken[1024 + index] ^= 0x41
        with pytest.raises(BadTar, match="damaged|no tar|end"):
            list(members(io.BytesIO(broken)))
    for data, reason in ((b"", "it is empty"), (b"no tar at all" * 100, "it is no tar"), (b"PK\3\4", "it is no tar")):
        with pytest.raises(BadTar, match=reason):
            list(members(io.BytesIO(data)))


def test_sparse_files_are_named():
    member = tarfile.TarInfo("a.jpg")
    member.type = tarfile.GNUTYPE_SPARSE
    with pytest.raises(BadTar, match="pack it without --sparse"):
        list(members(io.BytesIO(member.tobuf() + bytes(1024))))
