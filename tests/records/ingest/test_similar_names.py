from records.images.files import MISSING
from records.ingest.similar_names import nearly_the_same, same_but_for_case, with_hints


def test_files_that_differ_in_case_or_composition_alone(tmp_path):
    for name in ("Holiday/img_1.jpg", "holiday/img_2.JPG", "cafe\u0301.jpg", "same.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = ["holiday/IMG_1.JPG", "Holiday/IMG_2.jpg", "Café.jpg", "same.jpg", "gone.jpg", "same.jpg/x", "gone/x.jpg"]
    assert same_but_for_case(str(tmp_path), names) == {
        "holiday/IMG_1.JPG": "Holiday/img_1.jpg", "Holiday/IMG_2.jpg": "holiday/img_2.JPG",
        "Café.jpg": "cafe\u0301.jpg"}


def test_files_that_are_written_nearly_the_same(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("sunset_1.jpg", "sunset_2.jpg", "sunset_1.txt", "harbour.jpeg", "a/beach.png"):
        (tmp_path / name).touch()
    names = ["sunst_1.jpg", "sunset_3.jpg", "harbour.jpg", "a/baech.png", "beach.png", "gone.jpg", "no/sunset_1.jpg"]
    assert nearly_the_same(str(tmp_path), names) == {
        "sunst_1.jpg": "sunset_1.jpg", "harbour.jpg": "harbour.jpeg", "a/baech.png": "a/beach.png"}
    ((_, _, reason),) = with_hints([("sunst_1.jpg", "t.csv:2", f"{MISSING}: 'sunst_1.jpg'")], str(tmp_path))
    assert reason == f"{MISSING}: 'sunst_1.jpg'; did you mean 'sunset_1.jpg'?"


def test_the_first_rows_that_are_left_out_get_a_hint_and_all_are_kept(tmp_path):
    (tmp_path / "img.jpg").touch()
    rows = [("IMG.JPG", f"t.csv:{number}", f"{MISSING}: 'IMG.JPG'") for number in range(2500)]
    rows[1] = ("IMG.JPG", "t.csv:1", "caption is empty")
    hinted = list(with_hints(rows, str(tmp_path)))
    assert hinted[0][2] == f"{MISSING}: 'IMG.JPG'; 'img.jpg' is there, mind upper and lower case"
    assert hinted[1:2] + hinted[1000:] == rows[1:2] + rows[1000:]
    assert list(with_hints(rows, "")) == list(with_hints(rows, "gs://bucket/photos")) == rows
