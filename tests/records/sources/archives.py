"""Archives for tests, and the photos in them."""

import io
import json
import tarfile

import pytest

from records.images.extents import read_extent


def write_tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            data = data.encode() if isinstance(data, str) else data
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def photo(row):
    """The bytes of a row's photo inside an archive."""
    return read_extent(row.extent)


def shards(folder, photos, count=4):
    """img2dataset's: .jpg, .txt and .json of each photo."""
    each = len(photos) // count
    for shard in range(count):
        write_tar(folder / f"{shard:05d}.tar", [
            member for i in range(shard * each, (shard + 1) * each) for member in (
                (f"{i:09d}.jpg", photos[i]), (f"{i:09d}.json", json.dumps({"caption": "from json", "key": f"{i:09d}"})),
                (f"{i:09d}.txt", f"a dog runs number {i} on grass\nin two lines"))])
    return f"webdataset:{folder}/{{00000..{count - 1:05d}}}.tar"


def write_parquet(path, photos):
    """Hugging Face's: a column of {"bytes", "path"}, several captions of each photo."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    images = [{"bytes": data, "path": f"{index}.jpg"} for index, data in enumerate(photos)]
    captions = [[f"a dog runs number {index}", "two dogs"] for index in range(len(photos))]
    parquet.write_table(pyarrow.table({"image": images, "caption": captions}), path, row_group_size=7)
    return f"parquet:{path}"
