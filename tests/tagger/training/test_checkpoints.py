import numpy as np
import pytest
import tensorflow as tf

from flags.errors import UserError
from tagger.training.checkpoints import FOLDER, Checkpoints


def variables(value: float) -> dict[str, tf.Variable]:
    return {"model/kernel": tf.Variable(np.full((50, 40), value, np.float32)),
            "epoch/loss": tf.Variable(value / 3, dtype=tf.float64), "count": tf.Variable(int(value), dtype=tf.int64)}


def values(held: dict[str, tf.Variable]) -> list[list]:
    return [variable.numpy().tolist() for variable in held.values()]


def test_everything_comes_back_exactly(tmp_path):
    state = {"epoch": 3, "best": 0.1 + 0.2, "infinite": float("inf"), "callbacks": [{"wait": 2, "name": None}]}
    Checkpoints(tmp_path, 2).save(7, variables(1.7), state)
    held = variables(0)
    assert Checkpoints(tmp_path, 2).restore(held) == (7, state)
    assert values(held) == values(variables(1.7))


def test_no_checkpoint(tmp_path):
    assert Checkpoints(tmp_path, 2).restore(variables(0)) is None


def test_old_ones_are_pruned(tmp_path):
    checkpoints = Checkpoints(tmp_path, 2)
    for step in (5, 10, 200_000_000):
        checkpoints.save(step, variables(step), {})
    assert checkpoints.steps() == [10, 200_000_000]
    checkpoints.remove_all()
    assert checkpoints.steps() == []


@pytest.mark.parametrize("damage", ["truncated", "flipped", "encrypted", "empty"])
def test_a_damaged_newest_falls_back_and_says_so(tmp_path, damage, capsys):
    checkpoints = Checkpoints(tmp_path, 2)
    checkpoints.save(1, variables(1), {"epoch": 1})
    checkpoints.save(2, variables(2), {"epoch": 2})
    path = tmp_path / FOLDER / "step-00000002.npz"
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 1
    elif damage == "encrypted":  # by a flag of the last file in zip's directory
        data[data.rfind(b"PK\x01\x02") + 8] ^= 1
    path.write_bytes({"truncated": data[:-100], "flipped": data, "encrypted": data, "empty": b""}[damage])
    held = variables(0)
    assert checkpoints.restore(held) == (1, {"epoch": 1})
    assert values(held) == values(variables(1))
    assert f"{path} is damaged" in capsys.readouterr().err


def test_all_damaged(tmp_path):
    checkpoints = Checkpoints(tmp_path, 2)
    checkpoints.save(1, variables(1), {})
    (tmp_path / FOLDER / "step-00000001.npz").write_bytes(b"x")
    with pytest.raises(UserError, match="none of its 1 checkpoints can be read.*--fresh"):
        checkpoints.restore(variables(0))


def test_a_full_disk_keeps_the_one_before_and_says_so(tmp_path, capsys, request):
    checkpoints = Checkpoints(tmp_path, 2)
    assert checkpoints.save(1, variables(1), {})
    request.getfixturevalue("small_disk")
    assert not checkpoints.save(2, variables(2), {})
    assert "checkpoint at step 2 could not be written" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["step-00000001.npz"]
    assert checkpoints.restore(variables(0))[0] == 1
