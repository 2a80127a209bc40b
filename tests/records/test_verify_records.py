"""verify_records: everything that can happen to a folder is found, and named with its file and offset."""

import json
import os
import shutil

import pytest

from flags.errors import UserError
from flags.verify_records import VerifyRecords
from records.format import layout
from records.format import manifest as manifests
from records.verify_records import problems, run
from tests.records.inputs import contents, make, write_captions, write_photos


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A small records folder with two train shards of different sizes."""
    folder = tmp_path_factory.mktemp("verify")
    names = write_photos(folder / "images", 9, size=24)
    table = write_captions(folder / "captions.csv", names)
    return make(folder / "images", table, folder / "records", shards="train=2",
                split_fractions="train=0.8,test=0.2")


@pytest.fixture
def records(original, tmp_path):
    return shutil.copytree(original, tmp_path / "records")


def shards_of(folder, split="train"):
    return sorted(folder.glob(f"*-{split}.tfrecord-*"))


def test_every_flipped_byte_and_every_truncation_of_a_shard_is_found(tmp_path):
    """All offsets and lengths of a shard of two photos, with the check that runs before training (sizes) too."""
    table = write_captions(tmp_path / "captions.csv", write_photos(tmp_path / "images", 5, size=16))
    records = make(tmp_path / "images", table, tmp_path / "records", shards="train=2",
                   split_fractions="train=0.8,test=0.2")
    manifest = manifests.load(records)
    info = min(manifest.splits["train"].shards, key=lambda shard: shard.bytes)
    path = records / info.file
    data = path.read_bytes()
    starts = record_starts(data)
    assert len(starts) > 1 and len(data) == info.bytes and problem_of(path, info) == ""
    with path.open("r+b", buffering=0) as file:
        for offset in range(len(data)):
            os.pwrite(file.fileno(), bytes([data[offset] ^ (1 << offset % 8)]), offset)
            problem = problem_of(path, info)
            start = max(start for start in starts if start <= offset)
            assert problem.startswith(f"record {starts.index(start)} at byte {start}: "), (offset, problem)
            os.pwrite(file.fileno(), data[offset:offset + 1], offset)
    assert problem_of(path, info) == ""
    for length in reversed(range(len(data))):
        os.truncate(path, length)
        with pytest.raises(UserError, match=f"{info.file}: has {length:,} bytes"):
            manifests.check_sizes(records, manifest)
        assert problem_of(path, info).startswith(f"has {length:,} bytes instead of {info.bytes:,}; ")


def problem_of(path, info):
    """What verify_records says of a shard; "" where it is whole."""
    from records.verify_records import _check, _Expected

    return _check(_Expected(info.file, info.bytes, info.sha256, info), str(path.parent)).problem


def record_starts(data):
    starts, offset = [], 0
    while offset < len(data):
        starts.append(offset)
        offset += 16 + int.from_bytes(data[offset:offset + 8], "little")
    return starts


def test_a_whole_folder_has_no_problems_and_is_not_touched(records, capsys):
    before = contents(records)
    run(VerifyRecords(records_dir=str(records)))
    assert "9 examples are what make_records wrote" in capsys.readouterr().out
    assert contents(records) == before


def test_the_command_prints_every_problem_and_fails(records, main_process):
    first, second = shards_of(records)
    second.unlink()
    data = bytearray(first.read_bytes())
    data[40] ^= 1
    first.write_bytes(data)
    result = main_process("--mode=verify_records", f"--records_dir={records}")
    assert result.returncode == 1
    assert f"{first}: record 0 at byte 0: the checksum of the" in result.stdout
    assert f"{second}: is missing" in result.stdout
    assert result.stderr.splitlines()[-1].startswith(f"error: --records_dir={records}: 2 problems, the first: ")
    assert "Traceback" not in result.stderr


def test_a_missing_shard(records):
    shards_of(records)[1].unlink()
    assert problems(records) == [f"{shards_of(records)[0].parent / 'photos-train.tfrecord-00001-of-00002'}: is missing"]


def test_a_renamed_shard_is_recognised(records):
    shard = shards_of(records)[0]
    shard.rename(records / "renamed.bin")
    assert problems(records) == [f"{shard}: is missing; renamed.bin is this file under another name"]


def test_swapped_shards_are_recognised(records):
    first, second = shards_of(records)
    first.rename(records / "x")
    second.rename(first)
    (records / "x").rename(second)
    assert problems(records) == [f"{first}: holds the bytes of {second.name}",
                                 f"{second}: holds the bytes of {first.name}"]


def test_an_extra_shard_is_named_and_other_files_are_nobodys_business(records):
    shutil.copy(shards_of(records)[0], records / "photos-train.tfrecord-00002-of-00003")
    (records / "README.md").write_text("mine")
    assert problems(records) == [
        f"{records / 'photos-train.tfrecord-00002-of-00003'}: is a shard that manifest.json does not list"]


def test_a_shard_cut_between_records_is_found(records):
    """TensorFlow reads such a file without an error."""
    shard = shards_of(records)[0]
    data = shard.read_bytes()
    last = record_starts(data)[-1]
    shard.write_bytes(data[:last])
    (problem,) = problems(records)
    assert f"has {last:,} bytes instead of {len(data):,}; " in problem and f"the last ends at byte {last}" in problem


def test_records_that_were_put_in_another_order_are_found(records):
    shard = shards_of(records)[0]
    data = shard.read_bytes()
    starts = record_starts(data)
    shard.write_bytes(data[starts[1]:] + data[:starts[1]])
    (problem,) = problems(records)
    assert "are whole, but they are not those that were written" in problem


@pytest.mark.parametrize("name", layout.OTHER_FILES)
def test_a_change_of_any_other_file_is_found(records, name):
    with (records / name).open("a") as file:
        file.write("x")
    (problem,) = problems(records)
    assert problem.startswith(f"{records / name}: has ")
    (records / name).unlink()
    assert problems(records) == [f"{records / name}: is missing"]


def leaves(value, path=()):
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    else:
        yield path


def changed(value):
    if isinstance(value, bool):
        return not value
    return {int: lambda: value + 1, str: lambda: value + "0", type(None): lambda: 0}[type(value)]()


def test_every_edit_of_the_manifest_is_found(records):
    path = records / layout.MANIFEST
    text = path.read_text()
    count = 0
    for leaf in leaves(json.loads(text)):
        body = json.loads(text)
        place = body
        for key in leaf[:-1]:
            place = place[key]
        place[leaf[-1]] = changed(place[leaf[-1]])
        path.write_text(json.dumps(body))
        with pytest.raises(UserError, match=r"manifest.json: is damaged"):
            problems(records)
        count += 1
    assert count > 60
    for length in range(0, len(text) - 1, 7):
        path.write_text(text[:length])
        with pytest.raises(UserError, match=r"manifest.json: is damaged"):
            problems(records)


def edit(records, *changes):
    """Edits the manifest as somebody does who mends its checksum too: each change is a path of keys and a value."""
    path = records / layout.MANIFEST
    body = json.loads(path.read_text())
    for *keys, last, value in changes:
        place = body
        for key in keys:
            place = place[key]
        place[last] = value(place[last]) if callable(value) else value
    del body["sha256"]
    path.write_text(json.dumps({**body, "sha256": manifests._checksum(body)}))


@pytest.mark.parametrize("field", ["examples", "captions", "tokens"])
def test_an_edit_with_a_mended_checksum_contradicts_the_rest(records, field):
    edit(records, ("splits", "train", "shards", 0, field, lambda number: number + 1))
    with pytest.raises(UserError, match=rf"manifest.json: is damaged: split train has \d+ {field}, its shards have"):
        manifests.load(records)


@pytest.mark.parametrize("field", ["examples", "captions", "tokens"])
def test_counts_that_agree_with_one_another_and_not_with_the_shard(records, field):
    edit(records, ("splits", "train", "shards", 0, field, lambda number: number + 1),
         ("splits", "train", field, lambda number: number + 1))
    found = [problem for problem in problems(records) if "dataset_info" not in problem]
    assert len(found) == 1 and found[0].startswith(f"{shards_of(records)[0]}: holds ")
    assert f" {field}, manifest.json says " in found[0]


@pytest.mark.parametrize(("path", "told"), [
    (("splits", "train", "max_tokens"), "the longest caption of split train has"),
    (("vocabulary_size",), "words, vocabulary.txt has"), (("duplicates_merged",), "merged duplicates, dupl")])
def test_other_numbers_are_counted_too(records, path, told):
    edit(records, (*path, lambda number: number + 1))
    (problem,) = problems(records)
    assert told in problem


def test_a_photo_in_two_splits_is_found_by_its_key(records):
    """As nobody else could: every hash and every count is right."""
    (test,) = shards_of(records, "test")
    data = shards_of(records)[0].read_bytes()
    again = data[:record_starts(data)[1]]
    count = manifests.load(records).splits["train"].captions // manifests.load(records).splits["train"].examples
    test.write_bytes(test.read_bytes() + again)
    from records.format.shard_counts import count as recount

    with test.open("rb") as file:
        found = recount(file)
    assert found.captions % count == 0
    edit(records, *(("splits", "test", field, getattr(found, field)) for field in ("examples", "captions", "tokens")),
         ("splits", "test", "max_tokens", found.max_tokens),
         *(("splits", "test", "shards", 0, field, value) for field, value in
           (("examples", found.examples), ("captions", found.captions), ("tokens", found.tokens),
            ("bytes", found.size), ("sha256", found.sha256))))
    assert any("'photo_0" in problem and f"is in {shards_of(records)[0].name} already" in problem
               for problem in problems(records))


@pytest.mark.parametrize(("change", "told"), [
    (("splits", "train", "shards", 0, "file", "../secret"), "expected the name of a file in the folder"),
    (("splits", "train", "shards", 0, "file", "/etc/passwd"), "expected the name of a file in the folder"),
    (("splits", "train", "shards", 0, "file", "other.bin"), "shard 0 of split train is other.bin, expected p"),
    (("files", lambda files: {**files, "..\\x": files["vocabulary.txt"]}), "expected the name of a file in"),
    (("files", "vocabulary.txt", "sha256", "x"), "expected 64 hex digits"),
    (("splits", "train", "shards", 0, "bytes", -1), "is -1, expected 0 to 9,223"),
    (("splits", "train", "tokens", 10**30), "is 1000000"), (("vocabulary_size", 3.0), "is 3.0, expected an integer"),
    (("seed", True), "is True, expected an integer"), (("target", "x\x1b[2J"), "expected captions or tags"),
    (("splits", {}), "it lists no split"), (("name", "<script>"), "expected letters, digits and underscores"),
    (("flags", "seed", float("nan")), "NaN is no number"), (("rejected", "total", 7), "it has 7 rejected rows")])
def test_what_no_make_records_writes_is_refused_by_every_reader(records, capsys, change, told):
    edit(records, change)
    with pytest.raises(UserError) as caught:
        manifests.load(records)
    assert told in str(caught.value)
    with pytest.raises(UserError):
        run(VerifyRecords(records_dir=str(records)))
    printed = capsys.readouterr().out
    assert told in printed and "\x1b" not in printed


def test_every_fault_of_a_manifest_has_a_line(records, capsys):
    edit(records, ("seed", -1), ("target", ""), ("splits", "train", "shards", 1, "examples", "many"))
    with pytest.raises(UserError, match="and 2 more"):
        run(VerifyRecords(records_dir=str(records)))
    assert capsys.readouterr().out.splitlines() == [
        'manifest.json: manifest.target is "", expected captions or tags',
        "manifest.json: manifest.seed is -1, expected 0 to 9,223,372,036,854,775,807",
        'manifest.json: manifest.splits.train.shards[1].examples is "many", expected an integer']


def test_a_folder_that_is_no_records_folder(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        problems(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no folder that make_records finished"):
        problems(tmp_path)


def test_several_processes_find_the_same(records):
    from records import verify_records

    data = bytearray(shards_of(records)[1].read_bytes())
    data[-1] ^= 128
    shards_of(records)[1].write_bytes(data)
    alone = problems(records)
    threshold, verify_records._WORTH_PROCESSES = verify_records._WORTH_PROCESSES, 0
    try:
        assert list(verify_records._problems(records, manifests.load(records), 2, None)) == alone != []
    finally:
        verify_records._WORTH_PROCESSES = threshold
