import numpy as np
import pytest

from flags.errors import UserError
from records.input.caption_dataset import open_split
from records.text.vocabulary import SPECIALS, Vocabulary
from tagger.evaluation.validation_cider import ValidationCaptions
from tagger.modeling.merge_model import MergeModel
from tests.records import folders

SHARDS = [[[[3, 4, 5, 6]], [[7, 8, 9, 10]], [[11, 12, 13, 14]]]]
WORDS = [f"w{i}" for i in range(len(SPECIALS), 20)]
VOCABULARY = Vocabulary((*SPECIALS, *WORDS), (0, 0, 0, *[5] * len(WORDS)), (0, 0, 0, *[3] * len(WORDS)))


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cider") / "r"
    return open_split(folders.write(folder, {"validation": SHARDS}, vocabulary_size=20), "validation")


def saying(word):
    """A model that says one word over and over, whatever it sees."""
    model = MergeModel(20, 4, units=8, hidden_size=8)
    model.output_dense.kernel.assign(np.zeros(model.output_dense.kernel.shape))
    model.output_dense.bias.assign(np.where(np.arange(20) == word, 9.0, 0.0))
    return model


def test_words_of_a_reference_score_and_others_do_not(split):
    right, wrong = (ValidationCaptions(saying(word), VOCABULARY, split, 4)() for word in (3, 17))
    assert right > wrong == pytest.approx(0.0, abs=1e-6)


def test_weights_at_the_time_of_the_call_and_features_of_that_time(split):
    model, calls = saying(17), []

    def features():
        calls.append(1)
        return np.zeros([3, 4], np.float16)

    score = ValidationCaptions(model, VOCABULARY, split, 4, features)
    before = score()
    model.output_dense.bias.assign(saying(3).output_dense.bias)
    assert score() > before and len(calls) == 2


def test_no_reference_at_all(tmp_path):
    empty = folders.write(tmp_path / "r", {"validation": [[[[]], [[]]]]}, vocabulary_size=20)
    with pytest.raises(UserError, match="--monitor=val_cider: no photo of the split 'validation' has"):
        ValidationCaptions(saying(3), VOCABULARY, open_split(empty, "validation"), 4)
