"""Features of another backbone are named by what differs, one difference at a time."""

import dataclasses

import pytest

from flags.errors import UserError
from records.format.backbone_identity import check_same, difference
from records.format.manifest import BackboneInfo

BACKBONE = BackboneInfo("resnet50", "imagenet", "ab" * 32, 2048, 224, "caffe", "float32")


@pytest.mark.parametrize("field, value, named", [
    ("name", "vgg16", "backbone's name is vgg16, expected resnet50"),
    ("image_size", 299, "image size is 299, expected 224"),
    ("feature_size", 512, "feature size is 512, expected 2048"),
    ("weights_sha256", "cd" * 32, "weights' sha256 is cdcd"),
    ("preprocessing", "caffe; mean over views: flip", "preprocessing is caffe; mean over views: flip, expected caffe"),
    ("precision", "bfloat16", "precision is bfloat16, expected float32")])
def test_a_difference_is_named_with_both_values_and_the_remedy(field, value, named):
    with pytest.raises(UserError, match=named) as error:
        check_same(dataclasses.replace(BACKBONE, **{field: value}), BACKBONE, "--records_dir=a", "--run_dir=b",
                   "give c")
    assert str(error.value).startswith("--records_dir=a: ") and str(error.value).endswith("; give c")


def test_where_the_weights_were_read_is_no_difference():
    assert difference(dataclasses.replace(BACKBONE, weights="/elsewhere/resnet50.h5"), BACKBONE) is None


@pytest.mark.parametrize("pair", [(None, BACKBONE), (BACKBONE, None), (None, None)])
def test_records_without_features_fit_nothing(pair):
    with pytest.raises(UserError, match="records hold no features"):
        check_same(*pair, "--records_dir=a", "--run_dir=b", "give c")
