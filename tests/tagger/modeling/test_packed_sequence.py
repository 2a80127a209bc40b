import numpy as np
import tensorflow as tf

from tagger.modeling.packed_sequence import every_position, pack


def mask_of(lengths: list[int], positions: int) -> tf.Tensor:
    return tf.sequence_mask(lengths, positions)


def test_order_of_the_docstring():
    packing = pack(mask_of([2, 3], 3))
    assert packing.rows.numpy().tolist() == [1, 0]
    assert packing.sizes.numpy().tolist() == [2, 2, 1]
    assert packing.index.numpy().tolist() == [3, 0, 4, 1, 5]


def test_every_real_position_once_and_rows_keep_their_place():
    lengths = np.random.default_rng(0).integers(0, 9, 50)
    packing = pack(mask_of(lengths.tolist(), 8))
    assert sorted(packing.index.numpy()) == np.flatnonzero(mask_of(lengths.tolist(), 8)).tolist()
    starts = np.cumsum([0, *packing.sizes.numpy()])
    for t, size in enumerate(packing.sizes.numpy()):
        here = packing.index.numpy()[starts[t]:starts[t + 1]]
        assert (here % 8 == t).all()
        assert (here // 8 == packing.rows.numpy()[:size]).all()


def test_no_real_position():
    packing = pack(mask_of([0, 0], 4))
    assert [packing.rows.shape[0], packing.index.shape[0], int(tf.reduce_sum(packing.sizes))] == [0, 0, 0]


def test_every_position():
    packing = every_position(mask_of([0, 2], 3))
    assert packing.index.numpy().tolist() == [0, 1, 2, 3, 4, 5]
    assert packing.sizes.numpy().tolist() == [2, 2, 2]
