import numpy as np
import pytest

from records.input.caption_dataset import open_split
from tagger.evaluation.teacher_forced_loss import split_loss
from tagger.modeling.merge_model import MergeModel
from tests.records import folders

SHARDS = folders.random_split(0, [3, 4], vocabulary_size=20)
CAPTIONS = folders.captions_of("train", SHARDS)


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loss") / "r"
    return open_split(folders.write(folder, {"train": SHARDS}, vocabulary_size=20), "train")


def network(seed):
    model = MergeModel(20, 4, units=8, hidden_size=8)
    random = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(random.normal(scale=0.5, size=weight.shape))
    return model


def probabilities(model, key, targets):
    """Of each token of one caption, by the plain Keras model, a prefix at a time."""
    shard, record = map(int, key.decode().split("/")[1:])
    feature = np.tile(folders.feature(shard, record, 4).astype(np.float32), (len(targets), 1))
    prefixes = np.zeros((len(targets), 15), np.int32)
    for t in range(len(targets)):
        prefixes[t, :t] = targets[:t]
    return model([feature, prefixes]).numpy()[np.arange(len(targets)), targets]


def test_mean_over_all_tokens_and_of_some_images(split):
    models = [network(0), network(1)]
    loss, tokens = split_loss(models, split, 8)
    assert tokens == sum(len(targets) for _, targets in CAPTIONS) and np.isfinite(loss)
    key = min((len(captions), f"train/{s}/{r}") for s, shard in enumerate(SHARDS) for r, captions in enumerate(shard)
              )[1].encode()  # of few captions
    mine = [targets for name, targets in CAPTIONS if name == key]
    published = [model.to_keras(15) for model in models]
    expected = np.concatenate([np.mean([probabilities(model, key, targets) for model in published], 0)
                               for targets in mine])
    some, count = split_loss(models, split, 8, only=[key.decode()])
    assert count == len(expected) and some == pytest.approx(-np.log(expected).mean(), rel=1e-4)
    assert split_loss(models[:1], split, 3)[0] == pytest.approx(split_loss(models[:1], split, 64)[0], rel=1e-5)


def test_of_no_image(split):
    assert split_loss([network(0)], split, 8, only=[]) == (0.0, 0)
