from records.util.absolute_paths import absolute


def test_local_paths_become_absolute_and_others_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("photos/../data") == str(tmp_path / "data")
    assert absolute("/data") == "/data" and absolute("gs://bucket/../data") == "gs://bucket/../data"
