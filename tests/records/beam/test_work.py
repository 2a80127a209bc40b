from records.beam.work import WorkFolder, once, stable_hash


def test_a_file_is_there_with_its_summary(tmp_path):
    work = WorkFolder(str(tmp_path))
    work.put("photos-000002", ["b"], {"rows": 2})
    work.put("photos-000001", ["a"], {"rows": 1})
    (tmp_path / "photos-000003").write_bytes(b"half")  # killed before its summary
    assert work.summaries("photos") == {"photos-000001": {"rows": 1}, "photos-000002": {"rows": 2}}
    assert list(work.bodies("photos")) == [["a"], ["b"]] and work.summary("photos-000003") is None
    work.remove(["photos"])
    assert list(tmp_path.iterdir()) == []


def test_values_are_ordered_by_their_source_and_counted_once():
    assert once([(2, "b"), (1, "a"), (2, "b")]) == [(1, "a"), (2, "b")]


def test_the_hash_is_that_of_every_process_and_version():
    assert stable_hash("dog.jpg") == stable_hash(b"dog.jpg") == 3913895878567093081
    assert 0 <= stable_hash("\udcff") < 2**63
