"""A feature depends on its image alone: not on its neighbours, its place, or the process that computes it."""

import os
import subprocess
import sys

import numpy as np
import pytest

from records.backbones.feature_extractor import Extractor
from records.backbones.registry import load_backbone
from records.images.decoding import decode_batch
from tests.records.inputs import DEMO, PHOTOS

WEIGHTS = str(DEMO / "mobilenet_v2_notop_float16.weights.h5")
FILES = [path.read_bytes() for path in PHOTOS[:20]]
PROGRAM = """
import pathlib, sys
import numpy as np
from records.backbones.registry import load_backbone
from records.backbones.feature_extractor import Extractor
extractor = Extractor(load_backbone("mobilenet_v2", sys.argv[1]), batch_size=8)
np.save(sys.argv[2], np.stack(list(extractor.features(pathlib.Path(p).read_bytes() for p in sys.argv[3:]))))
"""


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor(load_backbone("mobilenet_v2", WEIGHTS), batch_size=8)


@pytest.fixture(scope="module")
def features(extractor) -> np.ndarray:
    return np.stack(list(extractor.features(FILES)))


def test_features_are_the_backbones(extractor, features):
    assert features.dtype == np.float16 and features.shape == (20, 1280)
    pixels, _ = decode_batch(FILES, 224)
    expected = extractor.backbone(pixels).numpy()
    assert np.linalg.norm(features - expected) / np.linalg.norm(expected) < 1e-3


def test_an_images_feature_is_the_same_whatever_is_beside_it(extractor, features):
    """To the bit where images keep their place in the batch, which one shard's always do."""
    others = FILES[:4] + FILES[15:19] + FILES[8:12] + FILES[:4] + FILES[16:20]
    again = np.stack(list(extractor.features(others)))
    kept = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19]
    np.testing.assert_array_equal(again[kept], features[kept])
    few = np.stack(list(extractor.features(FILES[:3])))
    np.testing.assert_array_equal(few, features[:3])


def test_an_undecodable_image_is_none_and_shifts_nobodys_feature(extractor, features):
    rows = [b"", *FILES[:9], FILES[9][:600], *FILES[9:], b"text"]
    found = list(extractor.features(iter(rows)))
    assert [i for i, feature in enumerate(found) if feature is None] == [0, 10, 22]
    np.testing.assert_array_equal(np.stack([feature for feature in found if feature is not None]), features)


def test_one_extraction_inside_another(extractor, features):
    """make_records computes a replacement while it is in the middle of a shard."""
    found = []
    for index, feature in enumerate(extractor.features([FILES[0], b"", FILES[1], b""])):
        found.append(feature if feature is not None else next(extractor.features([FILES[index + 1]])))
    np.testing.assert_array_equal(found[::2], features[:2])
    assert len(found) == 4 and all(feature is not None for feature in found)


@pytest.mark.parametrize("rows, expected", [([], []), ([b"", b"x"], [None, None])])
def test_nothing_to_compute(extractor, rows, expected):
    assert list(extractor.features(rows)) == expected


def test_images_are_read_only_a_few_batches_ahead(extractor):
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield FILES[0]

    stream = extractor.features(endless())
    for _ in range(20):
        next(stream)
    stream.close()
    assert taken < 20 + 8 * 12


def test_a_failing_source_fails_the_extraction(extractor, features):
    def failing():
        yield from FILES[:2]
        raise OSError("disk on fire")

    stream = extractor.features(failing())
    np.testing.assert_array_equal([next(stream), next(stream)], features[:2])
    with pytest.raises(OSError, match="disk on fire"):
        next(stream)


def test_another_process_gives_the_same_bytes(features, tmp_path):
    paths = [str(path) for path in PHOTOS[:20]]
    subprocess.run([sys.executable, "-c", PROGRAM, WEIGHTS, str(tmp_path / "f.npy"), *paths], check=True,
                   cwd=DEMO.parents[1], env={**os.environ})
    np.testing.assert_array_equal(np.load(tmp_path / "f.npy"), features)
