"""Makes tagger/demo_data/mobilenet_v2_notop_float16.weights.h5 from the file that Keras distributes.

    python -m benchmarks.make_demo_weights mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5

The classifier is dropped and the large kernels are rounded to float16, which halves the file. Batch-norm statistics
and small kernels (under 2 % of the values) stay float32: rounding the first block's alone would move features by
6e-3. Prints how far features of the demo photos move.
"""

import argparse
import os
import pathlib
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import h5py
import numpy as np

from records.backbones.feature_extractor import Extractor
from records.backbones.frozen_encoder import FrozenEncoder
from records.backbones.registry import load_backbone, load_encoder

DEMO_DATA = pathlib.Path(__file__).parent.parent / "tagger" / "demo_data"
TARGET = DEMO_DATA / "mobilenet_v2_notop_float16.weights.h5"

SMALL_KERNEL = 4096


def _halve(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies a Keras 3 weights file, kernels of SMALL_KERNEL or more values as float16."""
    # The latest layout saves a fifth of a megabyte of tables over 260 small arrays.
    with h5py.File(source) as old, h5py.File(target, "w", libver="latest") as new:

        def copy(name: str, node: h5py.Dataset | h5py.Group) -> None:
            if isinstance(node, h5py.Dataset):
                values = node[()]
                new.create_dataset(name, data=values.astype(np.float16) if values.size >= SMALL_KERNEL else values)
            else:
                new.require_group(name)

        old.visititems(copy)


def _features(backbone: FrozenEncoder) -> np.ndarray:
    photos = [path.read_bytes() for path in sorted((DEMO_DATA / "images").glob("*.jpg"))]
    return np.stack([feature for feature in Extractor(backbone).features(photos) if feature is not None]).astype("f4")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="Keras weights of MobileNetV2 1.0 224, with or without top")
    original = load_backbone("mobilenet_v2", parser.parse_args().weights)
    with tempfile.TemporaryDirectory() as folder:
        full = pathlib.Path(folder) / "full.weights.h5"
        load_encoder("mobilenet_v2", original.info.weights).build().save_weights(full)
        _halve(full, TARGET)
    before, after = _features(original), _features(load_backbone("mobilenet_v2", str(TARGET)))
    error = np.linalg.norm(after - before, axis=1) / np.linalg.norm(before, axis=1)
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1e6:.2f} MB, features of {len(before)} photos off by "
          f"{np.median(error):.1e} (relative L2, median; largest {error.max():.1e})")


if __name__ == "__main__":
    main()
