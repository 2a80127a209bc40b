"""Pass 1 in pipelines gives the plans of pass 1 on one machine: whole folders are compared byte by byte."""

import json
import shutil

import pytest

from flags.errors import UserError
from records.beam import rows
from records.format import layout
from tests.records.beam import in_process
from tests.records.beam_inputs import write_inputs, write_keywords
from tests.records.inputs import contents, make, write_captions, write_photos
from tests.records.sources.archives import shards, write_parquet


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    return *write_inputs(folder, 40), folder


@pytest.fixture(autouse=True)
def many_small_parts(monkeypatch):
    in_process.install(monkeypatch)
    monkeypatch.setattr("records.beam.plan._LEAST_PIECE_BYTES", 700)
    monkeypatch.setattr("records.beam.plan._LEAST_BUCKET_BYTES", 900)


def both(images, table, folder, **flags):
    """The contents of the records that each runner makes."""
    local = make(images, table, folder / "local", **flags)
    cluster = make(images, table, folder / "cluster", runner="beam", **flags)
    return contents(local), contents(cluster)


@pytest.mark.parametrize("flags", [{"shards": "train=7,test=2", "store_size": 32},
                                   {"min_count": 5, "split_fractions": "train=0.7,test=0.3"},
                                   {"tag_forms": "published", "max_words": 9}, {"target": "tags", "seed": 3}])
def test_the_bytes_are_those_of_the_local_runner(inputs, tmp_path, flags):
    local, cluster = both(*inputs[:2], tmp_path, max_rejected="50%", **flags)
    assert cluster == local
    assert (tmp_path / "cluster" / "rejected.jsonl").read_text().count("\n") > 10
    assert (tmp_path / "cluster" / "duplicates.jsonl").read_text().count("\n") > 5


@pytest.mark.parametrize("separator", [", ", " "])
def test_keywords_are_told_apart_alike(tmp_path, separator):
    local, cluster = both(*write_keywords(tmp_path, 40, separator), tmp_path)
    assert cluster == local
    assert "dog" in (tmp_path / "cluster" / "tags.txt").read_text().lower().split()


def test_the_vocabulary_of_other_records(inputs, tmp_path):
    other = make(*inputs[:2], tmp_path / "other", max_rejected="50%", min_count=9, split_fractions="train=1")
    local, cluster = both(*inputs[:2], tmp_path, max_rejected="50%", vocabulary=str(other))
    assert cluster == local
    same = ("vocabulary.txt", "word_counts.tsv", "tags.txt", "tag_forms.tsv")
    assert {name: local[name] for name in same} == {name: contents(other)[name] for name in same}
    assert local["manifest.json"] != contents(other)["manifest.json"]


def test_split_lists_are_read_by_the_workers(inputs, tmp_path):
    names = sorted(path.name for path in inputs[0].iterdir())
    for number, split in enumerate(("train", "test")):
        listed = [*names[number::3], f"none{number}.jpg"]
        (tmp_path / f"{split}.txt").write_text("".join(f"{name}\n" for name in listed))
    flags = {"split_lists": f"train={tmp_path / 'train.txt'},test={tmp_path / 'test.txt'}", "max_rejected": "50%"}
    local, cluster = both(*inputs[:2], tmp_path, **flags)
    assert cluster == local
    assert "name in a split list has no caption" in (tmp_path / "cluster" / "rejected.jsonl").read_text()
    shutil.copy(tmp_path / "train.txt", tmp_path / "test.txt")
    with pytest.raises(UserError, match=r"test.txt:\d+: .* is in the list of train too"):
        make(*inputs[:2], tmp_path / "twice", runner="beam", **flags)


def test_what_stops_the_local_runner_stops_the_cluster_with_the_same_words(inputs, tmp_path):
    for flags in ({}, {"max_rejected": "2"}, {"max_rejected": "50%", "shards": "train=9999"},
                  {"max_rejected": "50%", "split_fractions": "test=1"}):
        said = []
        for runner in ("local", "beam"):
            with pytest.raises(UserError) as error:
                make(*inputs[:2], tmp_path / "r", runner=runner, **flags)
            said.append(str(error.value))
        assert said[0] == said[1]
    (tmp_path / "empty.csv").write_text("image,caption\n")
    with pytest.raises(UserError, match="has no captions"):
        make(inputs[0], tmp_path / "empty.csv", tmp_path / "r", runner="beam")


def test_rows_that_could_not_be_read_are_not_forgotten(inputs, tmp_path, monkeypatch):
    read = rows.read_piece

    def unreadable(piece):
        if piece.number == 1:
            raise UserError("--captions: cannot read captions.csv to its end")
        yield from read(piece)

    monkeypatch.setattr(rows, "read_piece", unreadable)
    with pytest.raises(UserError, match="to its end"):
        make(*inputs[:2], tmp_path / "cluster", runner="beam", max_rejected="50%")
    monkeypatch.setattr(rows, "read_piece", read)
    local, cluster = both(*inputs[:2], tmp_path, max_rejected="50%")
    assert cluster == local


def test_a_restart_keeps_photos_that_were_good_and_mends_the_rest(tmp_path, monkeypatch):
    names = write_photos(tmp_path / "images", 30)
    table = write_captions(tmp_path / "captions.csv", names)
    whole = (tmp_path / "images" / names[3]).read_bytes()
    (tmp_path / "images" / names[3]).unlink()
    with pytest.raises(UserError, match="photo does not exist"):
        make(tmp_path / "images", table, tmp_path / "r", runner="beam")
    (tmp_path / "images" / names[3]).write_bytes(whole)
    (state,) = (tmp_path / "r" / layout.STAGING_DIR).glob("cluster-*")
    kept = {path: path.stat().st_mtime_ns for path in state.glob("photos-*.json")
            if not json.loads(path.read_text())["bad"]}
    checked = []
    check = rows.check_chunk

    def noted(tasks, *rest):
        checked.extend(task.key for task in tasks)
        return check(tasks, *rest)

    monkeypatch.setattr(rows, "check_chunk", noted)
    records = make(tmp_path / "images", table, tmp_path / "r", runner="beam")
    assert len(kept) > 1 and names[3] in checked and len(checked) < 20
    assert contents(records) == contents(make(tmp_path / "images", table, tmp_path / "local"))


@pytest.mark.parametrize("form", ["tar", "parquet"])
def test_photos_inside_archives(tmp_path, form):
    names = write_photos(tmp_path / "photos", 16)
    photos = [(tmp_path / "photos" / name).read_bytes() for name in (*names, *names[:4])]  # some of them twins
    captions = shards(tmp_path, photos) if form == "tar" else write_parquet(tmp_path / "a.parquet", photos)
    local, cluster = both("", captions, tmp_path)
    assert cluster == local and (tmp_path / "cluster" / "duplicates.jsonl").read_text().count("\n") == 4
    make(tmp_path / "images", captions, tmp_path / "unpacked", runner="beam")
    assert sorted(path.read_bytes() for path in (tmp_path / "images").rglob("*.jpg")) == sorted(photos)
