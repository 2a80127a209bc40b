import dataclasses

import pytest

from tagger.training.batch_size import fitting, with_batch_size


@pytest.mark.parametrize("captions, batch_size", [
    (0, 8), (39, 8), (195, 8), (362, 8), (363, 16), (601, 16), (1448, 32), (1449, 64), (29_995, 64), (600_000, 64)])
def test_a_small_set_gets_more_steps_and_a_large_one_the_published_batch(captions, batch_size):
    assert fitting(captions) == batch_size


def test_only_what_is_left_open_is_chosen(task_config, tmp_path):
    config = dataclasses.replace(task_config, run_dir=str(tmp_path / "new"), batch_size=0)
    assert with_batch_size(config) == dataclasses.replace(config, batch_size=16)
    assert with_batch_size(dataclasses.replace(config, batch_size=62)).batch_size == 62
