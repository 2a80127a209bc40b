import numpy as np
import pytest
from PIL import Image

from records.input.caption_dataset import open_split
from tagger.evaluation.contact_sheets import draw
from tagger.evaluation.metrics import Prediction
from tagger.evaluation.predictions import Predicted
from tests.records import folders
from tests.records.images.bad_images import encoded, photo


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sheets") / "r"
    return open_split(folders.write(folder, {"test": [[[[3, 4]]] * 6]}, image=encoded(photo(), "JPEG")), "test")


def predicted(number):
    words = ("a", "dog")
    one = Prediction(f"test/0/{number}", words, (words,), ("dog", "cat"), words, (("dog",),))
    return Predicted(one, ("A dog.",), "a dog", 0.5, np.zeros(1, np.float32))


def test_sheets_of_what_is_asked_for_and_none_of_before(split, tmp_path):
    images, ranks = [predicted(number) for number in range(6)], np.array([3, 1, np.nan, 2, 5, 4.0])
    both = draw(tmp_path, split, images, "cider", ranks, 4, 2)
    assert [path.name for path in both] == ["contact_sheet.png", "worst_and_best.png"]
    sizes = []
    for path in both:
        with Image.open(path) as sheet:
            sizes.append(sheet.size)
            assert {(0x15, 0x80, 0x3d), (0xb9, 0x1c, 0x1c)} <= {
                colour for _, colour in sheet.convert("RGB").getcolors(1 << 22)}  # right and wrong tags
    assert sizes[0][0] == sizes[1][0] and sizes[0][1] < sizes[1][1]  # four photos; the ranked ones have a line more
    assert draw(tmp_path, split, images, "cider", ranks, 0, 1) == [tmp_path / "worst_and_best.png"]
    assert not (tmp_path / "contact_sheet.png").exists()
    with Image.open(tmp_path / "worst_and_best.png") as sheet:
        assert sheet.width < sizes[0][0]  # two photos
