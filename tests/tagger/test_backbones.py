"""From photos to a SavedModel with other networks than the embedded one: other sizes, and a user's own."""


import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from flags.errors import UserError
from flags.export import Export
from flags.train import Train
from records.backbones.registry import load_backbone, load_encoder
from records.format import manifest as manifests
from records.images.decoding import decode_batch
from records.input.shard_reader import images, open_split
from tagger import export, train
from tests.records.inputs import DEMO, PHOTOS, make, write_captions

NETWORKS = "tests.records.backbones.networks:"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Sixteen photos, all large enough that 299 pixels are fewer than theirs, with two captions each."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "images").mkdir()
    for path in PHOTOS[:16]:
        with Image.open(path) as photo:
            photo.resize((400, 320)).save(folder / "images" / path.name, quality=90)
    return folder / "images", write_captions(folder / "captions.csv", [path.name for path in PHOTOS[:16]])


def to_saved_model(photos, folder, backbone: str, weights: str = "", size: int = 0) -> None:
    records, run, exported = folder / "records", folder / "run", folder / "export"
    make(*photos, records, backbone=backbone, backbone_weights=weights, image_size=size,
         split_fractions="train=0.75,validation=0.25")
    train.run(Train(records_dir=str(records), run_dir=str(run), epochs=1, batch_size=8))
    assert export.run(Export(run_dir=str(run), export_dir=str(exported), beam_width=1, tag_samples=0, top_tags=3)) == 0
    info = manifests.load(records).backbone
    network = load_backbone(backbone, weights, image_size=size)
    assert info == network.info and info.image_size == network.image_size
    example = next(images(open_split(records, "train")).as_numpy_iterator())
    pixels, _ = decode_batch([example["image"]], info.image_size)
    np.testing.assert_allclose(example["feature"], network(pixels)[0], rtol=2e-3, atol=1e-4)
    served = tf.saved_model.load(str(exported / "1")).signatures
    by_bytes = served["serving_default"](image_bytes=tf.constant([example["image"]]))
    by_feature = served["features"](features=network(pixels))
    assert by_bytes["caption"].numpy() == by_feature["caption"].numpy()
    np.testing.assert_allclose(by_bytes["tag_scores"], by_feature["tag_scores"], atol=1e-3)
    size = info.image_size
    assert f"{info.name}, {info.feature_size:,} numbers" in (exported / "README.md").read_text()
    assert f"{size} x {size} pixels" in (exported / "README.md").read_text()


def test_a_network_of_299_pixels_made_by_a_user_in_the_current_folder(photos, tmp_path, monkeypatch):
    (tmp_path / "networks_here.py").write_text("from tests.records.backbones.networks import thin_299\n")
    monkeypatch.chdir(tmp_path)
    to_saved_model(photos, tmp_path, "networks_here:thin_299")


@pytest.mark.slow  # half a minute of processor time
def test_a_network_of_keras_that_sees_more_pixels_than_usual(photos, tmp_path):
    to_saved_model(photos, tmp_path, "mobilenet_v2", str(DEMO / "mobilenet_v2_notop_float16.weights.h5"), 256)


@pytest.mark.slow  # the first goes the same way
def test_a_network_of_192_pixels_with_weights_of_a_file(photos, tmp_path):
    weights = str(tmp_path / "own.weights.h5")
    load_encoder(NETWORKS + "mobile_192").build().save_weights(weights)
    to_saved_model(photos, tmp_path, NETWORKS + "mobile_192", weights)


def test_inception_v3_sees_299_pixels():
    encoder = load_encoder("inception_v3")
    assert encoder.image_size == 299 and encoder.preprocessing == "tf: scaled to -1..1"


def test_a_feature_that_is_not_finite_stops_make_records(photos, tmp_path):
    with pytest.raises(UserError, match="^photo '.*jpg': its feature by --backbone=.*:infinite --backbone_precision="
                                        "float32 holds 3 of 3 numbers beyond the 65,504 of float16"):
        make(*photos, tmp_path / "records", backbone=NETWORKS + "infinite")
    assert not list((tmp_path / "records").glob("*.tfrecord*"))
