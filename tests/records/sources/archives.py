"""Tars for tests, and the rows of an archive."""

import io
import json
import tarfile

from records.sources import BadRow, open_source


def write_tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            data = data.encode() if isinstance(data, str) else data
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def read(captions, images, **options):
    rows = list(open_source(captions, "auto", str(images), **options))
    return ([row for row in rows if not isinstance(row, BadRow)],
            [(row.where, row.reason) for row in rows if isinstance(row, BadRow)])


def shards(folder, photos, count=4):
    """img2dataset's: .jpg, .txt and .json of each photo."""
    each = len(photos) // count
    for shard in range(count):
        write_tar(folder / f"{shard:05d}.tar", [
            member for i in range(shard * each, (shard + 1) * each) for member in (
                (f"{i:09d}.jpg", photos[i]), (f"{i:09d}.json", json.dumps({"caption": "from json", "key": f"{i:09d}"})),
                (f"{i:09d}.txt", f"a dog runs number {i} on grass\nin two lines"))])
    return f"webdataset:{folder}/{{00000..{count - 1:05d}}}.tar"
