import numpy as np
import pytest
from pycocoevalcap.cider.cider import Cider

from tagger.losses.cider_reward import CiderReward, document_frequencies

END = 1


def captions(seed: int, images: int, each: int, longest: int = 9, words: int = 12) -> list[list[list[int]]]:
    """Random captions of few words, so that n-grams repeat and are shared; each ends with <end>."""
    generator = np.random.default_rng(seed)
    return [[[*generator.integers(3, words, generator.integers(1, longest)).tolist(), END] for _ in range(each)]
            for _ in range(images)]


def padded(several: list[list[list[int]]], count: int, width: int = 10) -> np.ndarray:
    result = np.zeros((len(several), count, width), np.int32)
    for i, image in enumerate(several):
        for j, caption in enumerate(image):
            result[i, j, :len(caption)] = caption
    return result


def flat(several: list[list[list[int]]]) -> tuple[np.ndarray, ...]:
    lengths = np.array([len(c) for image in several for c in image])
    return (np.array([w for image in several for c in image for w in c], np.int32), np.cumsum(lengths) - lengths,
            lengths, np.array([i for i, image in enumerate(several) for _ in image]))


def text(caption: list[int]) -> str:
    return " ".join(map(str, caption))


def test_equals_pycocoevalcap_where_that_counts_the_same_documents():
    references, said = captions(0, 40, 5), captions(1, 40, 3)
    reward = CiderReward(*flat(references), vocabulary_size=12)
    found = reward(padded(said, 3), padded(references, 6)).numpy()  # a sixth row of zeros is no reference
    for column in range(3):
        _, expected = Cider().compute_score({i: list(map(text, image)) for i, image in enumerate(references)},
                                            {i: [text(image[column])] for i, image in enumerate(said)})
        np.testing.assert_allclose(found[:, column], expected, atol=1e-5)
    assert found.max() > 0.2


def test_the_vocabulary_may_be_larger_than_four_digits_of_int64():
    references = captions(0, 30, 5)
    small = CiderReward(*flat(references), vocabulary_size=12)
    large = CiderReward(*flat(references), vocabulary_size=3_000_000)
    said = padded(captions(2, 30, 2), 2)
    np.testing.assert_allclose(large(said, padded(references, 5)), small(said, padded(references, 5)), atol=1e-6)


def test_a_caption_that_breaks_off_earns_less():
    references = captions(3, 20, 5)
    reward = CiderReward(*flat(references), vocabulary_size=12)
    whole = [[image[0]] for image in references]
    broken = [[image[0][:-1]] for image in references]
    of_whole, of_broken = (reward(padded(said, 1), padded(references, 5)).numpy() for said in (whole, broken))
    assert of_whole.mean() > of_broken.mean() + 0.1


def test_nothing_earns_nothing():
    references = captions(4, 5, 5)
    reward = CiderReward(*flat(references), vocabulary_size=12)
    assert (reward(np.zeros((5, 2, 10), np.int32), padded(references, 5)).numpy() == 0).all()
    assert (reward(padded(references, 5), np.zeros((5, 5, 10), np.int32)).numpy() == 0).all()


@pytest.mark.parametrize("base", [12, 100])
def test_document_frequencies_count_images(base):
    first, second = [[5, 6, END], [5, 6, 7, END]], [[6, 5, END]]
    grams, counts = document_frequencies(*flat([first, second]), base)
    frequency = dict(zip(grams.tolist(), counts.tolist(), strict=True))
    assert frequency[5] == frequency[6] == frequency[END] == 2
    assert frequency[7] == frequency[5 * base + 6] == frequency[6 * base + 5] == 1
    assert frequency[(5 * base + 6) * base + 7] == frequency[((5 * base + 6) * base + 7) * base + END] == 1
    assert 5 * base + 7 not in frequency
    assert len(frequency) == 4 + 6 + 4 + 1
