"""The folder of an evaluation is found again by its split; an unfinished one is not taken for one."""

from tagger.evaluation import files


def test_finished_evaluations_are_found_by_split(tmp_path):
    for split in ("validation", "test", "unfinished", "a-b"):
        files.folder_of(tmp_path, split).mkdir()
        (files.folder_of(tmp_path, split) / files.PREDICTIONS).touch()
    for split in ("validation", "test", "a-b"):
        (files.folder_of(tmp_path, split) / files.METRICS).touch()
    assert [(split, folder.name) for split, folder in files.finished(tmp_path)] == [
        ("a-b", "eval-a-b"), ("test", "eval-test"), ("validation", "eval-validation")]
    assert list(files.finished(tmp_path / "nowhere")) == []
