import types

import numpy as np

from records.input.shard_reader import open_split
from tagger.training.tag_examples import tag_batches
from tests.records import folders


def test_shares_of_captions_of_the_first_photos(tmp_path):
    shards = [[[[3, 4], [4, 4]], [[5]]], [[[9]], [[3]]]]
    split = open_split(folders.write(tmp_path / "r", {"train": shards}), "train")
    run = types.SimpleNamespace(tags=None, tag_outputs=types.SimpleNamespace(names=("t4", "t3", "t5")))
    features, shares = zip(*tag_batches(run, split, 3, 2), strict=True)
    assert [len(part) for part in features] == [2, 1] and features[0].dtype == np.float16
    np.testing.assert_array_equal(np.concatenate(features)[:, :2], [[1, 0], [1, 1], [2, 0]])
    np.testing.assert_array_equal(np.concatenate(shares), [[1, 0.5, 0], [0, 0, 1], [0, 0, 0]])
