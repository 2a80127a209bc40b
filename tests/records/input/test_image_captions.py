import numpy as np

from records.input.image_captions import ImageCaptions
from records.input.in_memory import Held
from records.input.shard_reader import open_split
from tests.records import folders

SPLIT = [[[[2, 3], [4]], [[5, 6, 7]]], [[[8], [9, 10], [11]]]]  # 2, 1 and 3 captions


def test_captions_of_each_image(tmp_path):
    split = open_split(folders.write(tmp_path / "r", {"train": SPLIT}), "train")
    captions = ImageCaptions(Held(split, 100), 3)
    assert captions.first.tolist() == [0, 2, 3, 6] and captions.most == 3
    assert captions.numbers.tolist() == [[0, 1, 6], [2, 6, 6], [3, 4, 5], [6, 6, 6]]
    plan = np.array([[0, 2], [1, 3]])
    assert captions.width(plan).tolist() == [3, 4]
    targets = captions.targets(captions.numbers[[2, 3]], 3).numpy().tolist()
    assert targets == [[[8, 1, 0], [9, 10, 1], [11, 1, 0]], [[0, 0, 0]] * 3]
