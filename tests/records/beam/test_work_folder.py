from records.beam.work_folder import WorkFolder


def test_a_file_is_there_with_its_summary(tmp_path):
    work = WorkFolder(str(tmp_path))
    work.put("photos-000002", ["b"], {"rows": 2})
    work.put("photos-000001", ["a"], {"rows": 1})
    (tmp_path / "photos-000003").write_bytes(b"half")  # killed before its summary
    assert work.summaries("photos") == {"photos-000001": {"rows": 1}, "photos-000002": {"rows": 2}}
    assert list(work.bodies("photos")) == [["a"], ["b"]] and work.summary("photos-000003") is None
    work.remove(["photos"])
    assert list(tmp_path.iterdir()) == []
