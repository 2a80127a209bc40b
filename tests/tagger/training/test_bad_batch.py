import json

from tagger.training import bad_batch


def test_the_first_images_are_named_and_all_are_in_the_file(tmp_path):
    keys = [f"{i}.jpg" for i in range(7)]
    said = bad_batch.describe(tmp_path, 1, 4, keys, write=True)
    path = tmp_path / "bad_batch.json"
    assert said == f"0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg … (all 7 photos of the batch: {path})"
    assert json.loads(path.read_text()) == {"epoch": 2, "step": 5, "images": keys}


def test_another_host_says_the_same_and_writes_nothing(tmp_path):
    said = bad_batch.describe(tmp_path, 0, 0, ["a.jpg"], write=False)
    assert said.startswith("a.jpg (the only photo of the batch: ") and not list(tmp_path.iterdir())
