import dataclasses

import pytest

from flags.errors import UserError
from flags.tag import Tag
from records.format import manifest as manifests
from tagger.saved_model import backbone_info
from tagger.tagging.records import records_job
from tests.records import folders
from tests.tagger.saved_model import small

SHARDS = folders.random_split(0, [2, 3])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tagging")
    records = folders.write(folder / "records", {"train": SHARDS, "test": SHARDS[:1]}, image=b"photo")
    return records, small.save(folder / "export")


def answers(job, shard):
    photos = list(job.photos(shard))
    return list(map(job.name, photos)), [row["caption"] for row in job.compute(list(map(job.read, photos)))]


def test_features_of_the_exports_backbone_are_used(made, capsys):
    records, export = made
    backbone_info.write(export, manifests.load(records).backbone)
    job = records_job(Tag(export_dir="e", images=str(records)), export)
    assert "The features in the records are used" in capsys.readouterr().err
    assert answers(job, 1) == (["train/1/0", "train/1/1", "train/1/2"], ["2", "2", "2"])
    assert answers(job, 2)[0] == ["test/0/0", "test/0/1"]


def test_photos_are_read_where_another_backbone_made_the_features(made, capsys):
    records, export = made
    other = dataclasses.replace(manifests.load(records).backbone, weights_sha256="1" * 64)
    backbone_info.write(export, other)
    job = records_job(Tag(export_dir="e", images=str(records)), export)
    assert "The photos in the records are read: the " in capsys.readouterr().err
    assert answers(job, 0) == (["train/0/0", "train/0/1"], ["photo", "photo"])


def test_neither_is_an_error(made, tmp_path):
    records, export = made
    manifest = manifests.load(records)
    bare = folders.write(tmp_path / "bare", {"train": SHARDS})
    manifests.save(bare, dataclasses.replace(manifests.load(bare), flags={"store_images": False}))
    backbone_info.write(export, dataclasses.replace(manifest.backbone, weights_sha256="1" * 64))
    with pytest.raises(UserError, match="its photos are not stored; give the folder of the photos"):
        records_job(Tag(export_dir="e", images=str(bare)), export)
