import numpy as np
import tensorflow as tf

from records.input.record_captions import RecordCaptions
from records.input.shard_reader import images, open_split
from records.text.vocabulary import UNK
from tests.records import folders

SPLIT = [[[[2, 3], [4]], [[5, 6, 7]]], [[[8], [9, 10], [11]]]]  # 2, 1 and 3 captions


def of(tmp_path, vocabulary_size=100, marked_ids=()):
    split = open_split(folders.write(tmp_path / "r", {"train": SPLIT}), "train")
    return split, RecordCaptions(split, vocabulary_size, marked_ids)


def test_what_is_known_of_each_photo(tmp_path):
    _, captions = of(tmp_path, marked_ids={4, 9})
    assert captions.most == 3
    assert captions.longest.tolist() == [3, 4, 3, 0]
    assert captions.marked.tolist() == [True, False, True, False]


def test_every_caption_comes_by_itself(tmp_path):
    _, captions = of(tmp_path)
    expected = [[2, 3, 1], [4, 1], [5, 6, 7, 1], [8, 1], [9, 10, 1], [11, 1]]
    assert [caption.tolist() for caption in captions] == expected
    assert [caption.tolist() for caption in captions] == expected


def test_captions_of_records_side_by_side(tmp_path):
    split, captions = of(tmp_path, vocabulary_size=10)
    tokens = [example["tokens"] for example in images(split).as_numpy_iterator()]
    rows = tf.ragged.constant([tokens[2].tolist(), [], tokens[0].tolist(), []], tf.int64, ragged_rank=1)
    nothing = np.zeros((3, 4)).tolist()
    assert captions.targets(rows, 4).numpy().tolist() == [
        [[8, 1, 0, 0], [9, UNK, 1, 0], [UNK, 1, 0, 0]], nothing, [[2, 3, 1, 0], [4, 1, 0, 0], [0, 0, 0, 0]], nothing]
