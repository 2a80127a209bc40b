"""Datasets are prepared by tensorflow-datasets itself, from the embedded photos, in a temporary folder."""

import pathlib

import numpy as np
import pytest
import tensorflow_datasets as tfds

import main
from flags.errors import UserError
from records.sources import BadRow, Row, detect, open_source

PHOTOS = sorted((pathlib.Path(__file__).parents[3] / "tagger" / "demo_data" / "images").glob("*.jpg"))[:6]


def prepare(folder, features, splits):
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name="photos", version="1.0.0", features=tfds.features.FeaturesDict(features), data_dir=folder,
        split_datasets={name: list(enumerate(examples)) for name, examples in splits.items()}, disable_shuffling=True)
    return f"tfds:{builder.data_dir}"


@pytest.fixture(scope="module")
def nested(tmp_path_factory):
    """Laid out like coco_captions."""
    def examples(photos):
        return [{"image": str(photo), "image/filename": photo.name, "image/id": 7,
                 "captions": [{"id": 1, "text": f"A dog {photo.stem} ."}, {"id": 2, "text": "The  café"}],
                 "objects": [{"label": 0}]} for photo in photos]

    text = tfds.features.Text()
    return prepare(
        tmp_path_factory.mktemp("nested"),
        {"image": tfds.features.Image(encoding_format="jpeg"), "image/filename": text,
         "image/id": tfds.features.Scalar(np.int64),
         "captions": tfds.features.Sequence({"id": tfds.features.Scalar(np.int64), "text": text}),
         "objects": tfds.features.Sequence({"label": tfds.features.ClassLabel(num_classes=2)})},
        {"train": examples(PHOTOS[:4]), "val": examples(PHOTOS[4:])})


def rows_of(captions, folder):
    return list(open_source(captions, "auto", str(folder)))


def test_photos_are_spooled_as_they_are_and_splits_kept(nested, tmp_path):
    assert detect(nested) == "tfds"
    rows = rows_of(nested, tmp_path)
    assert rows == [
        Row(f"{split}/{photo.name}", caption, f"photos[{name}]:{index} caption {number}", split)
        for name, split, photos in (("train", "train", PHOTOS[:4]), ("val", "validation", PHOTOS[4:]))
        for index, photo in enumerate(photos)
        for number, caption in enumerate((f"A dog {photo.stem} .", "The café"))]
    for row in rows:
        assert (tmp_path / row.image).read_bytes() == (PHOTOS[0].parent / row.image.split("/")[1]).read_bytes()
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 6


def test_reading_again_writes_only_what_is_missing_or_spoiled(nested, tmp_path):
    stream = open_source(nested, "auto", str(tmp_path))
    next(stream)
    stream.close()  # interrupted at the first photo
    first = next(path for path in tmp_path.rglob("*.jpg"))
    before = first.stat().st_mtime_ns
    rows = rows_of(nested, tmp_path)
    spoiled = tmp_path / rows[-1].image
    good = spoiled.read_bytes()
    spoiled.write_bytes(good[:100])
    assert rows_of(nested, tmp_path) == rows
    assert first.stat().st_mtime_ns == before
    assert spoiled.read_bytes() == good


def test_a_list_of_captions_and_photos_without_names(tmp_path):
    captions = prepare(
        tmp_path / "data",
        {"photo": tfds.features.Image(), "captions": tfds.features.Sequence(tfds.features.Text())},
        {"train": [{"photo": str(PHOTOS[0]), "captions": ["a dog", ""]},
                   {"photo": np.zeros((4, 4, 3), np.uint8), "captions": []},
                   {"photo": str(PHOTOS[1]), "captions": [b"caf\xe9", "a cat"]}]})
    rows = rows_of(captions, tmp_path / "spool")
    assert rows[0] == Row("train/00000000.jpg", "a dog", "photos[train]:0 caption 0", "train")
    assert rows[1] == BadRow("photos[train]:0 caption 1", "train/00000000.jpg", "caption is empty")
    assert rows[2] == BadRow("photos[train]:1", "train/00000001.png", "photo has no caption")
    assert rows[3].reason.startswith("caption is not UTF-8")
    assert rows[4].caption == "a cat"


def test_one_caption_and_names_that_cannot_be_used(tmp_path):
    captions = prepare(
        tmp_path / "data",
        {"image": tfds.features.Image(), "filename": tfds.features.Text(), "caption": tfds.features.Text()},
        {"train": [{"image": str(PHOTOS[0]), "filename": name, "caption": "a dog"}
                   for name in ("sub/a", "../../evil.jpg", "sub/a", "")]})
    rows = rows_of(captions, tmp_path / "spool")
    assert rows[0] == Row("train/sub/a.jpg", "a dog", "photos[train]:0", "train")
    assert [row.reason.partition(":")[0] for row in rows[1:]] == [
        "image name leads outside --images", "image name is used by an earlier example of the split",
        "image name is empty"]
    assert [path.name for path in (tmp_path / "spool").rglob("*") if path.is_file()] == ["a.jpg"]


@pytest.mark.parametrize(("features", "example", "named"), [
    ({"image": tfds.features.Image(), "label": tfds.features.ClassLabel(num_classes=2)},
     {"image": str(PHOTOS[0]), "label": 1}, "has no text feature"),
    ({"image": tfds.features.Image(), "filename": tfds.features.Text()},
     {"image": str(PHOTOS[0]), "filename": "a.jpg"}, "has no text feature"),
    ({"caption": tfds.features.Text()}, {"caption": "a dog"}, "has no image feature"),
])
def test_datasets_without_photos_or_captions_are_refused(tmp_path, features, example, named):
    captions = prepare(tmp_path / "data", features, {"train": [example]})
    with pytest.raises(UserError, match=named):
        rows_of(captions, tmp_path)


def test_a_folder_that_cannot_be_written_is_one_line(nested, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="cannot be written to .*name another folder with --images"):
        rows_of(nested, tmp_path / "file")


@pytest.mark.parametrize(("name", "named"), [("no_such_dataset", "knows no dataset of this name"),
                                             ("{tmp}", "cannot be prepared")])
def test_no_dataset_is_one_line(tmp_path, name, named):
    with pytest.raises(UserError, match=named) as error:
        rows_of("tfds:" + name.format(tmp=tmp_path), tmp_path)
    assert "\n" not in str(error.value)


def test_a_cut_shard_is_an_error_and_not_fewer_rows(tmp_path):
    captions = prepare(tmp_path / "data", {"image": tfds.features.Image(), "caption": tfds.features.Text()},
                       {"train": [{"image": str(photo), "caption": "a dog"} for photo in PHOTOS]})
    shard = next(pathlib.Path(captions.removeprefix("tfds:")).glob("*.tfrecord*"))
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(UserError, match="split train cannot be read after 5 photos"):
        rows_of(captions, tmp_path / "spool")
    shard.write_bytes(b"")
    with pytest.raises(UserError, match="expected to contain 6 elements but contained only 0"):
        rows_of(captions, tmp_path / "spool")


def test_a_records_folder_is_a_dataset_too(tmp_path):
    """Its photos, captions and splits come back as they went in."""
    table = tmp_path / "t.csv"
    table.write_text("image,caption,split\n" + "".join(
        f"{photo.name},photo {index} café,{split}\n{photo.name},again {index},{split}\n"
        for index, (photo, split) in enumerate(zip(PHOTOS, "train train test train dev dev".split(), strict=True))))
    records_dir = tmp_path / "records"
    assert main.main(["main.py", "--mode=make_records", f"--images={PHOTOS[0].parent}", f"--captions={table}",
                      f"--records_dir={records_dir}", "--backbone=none", "--workers=1"]) == 0
    before = list(open_source(str(table), "csv", ""))
    after = rows_of(f"tfds:{records_dir}", tmp_path / "spool")
    assert {(row.split, f"{row.split}/{row.image}", row.caption) for row in before} == {
        (row.split, row.image, row.caption) for row in after}
    for photo, split in zip(PHOTOS, ("train", "train", "test", "train", "validation", "validation"), strict=True):
        assert (tmp_path / "spool" / split / photo.name).read_bytes() == photo.read_bytes()
