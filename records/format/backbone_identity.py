"""Whether two features mean the same: the one place where backbones are compared.

    check_same(records.backbone, run.backbone, "--records_dir=data", "--run_dir=runs/a was trained with", "give …")

Features of one length that another network, other weights, other pixels or another arithmetic made are numbers that a
model reads without complaint and answers wrongly. So whatever brings a model and features together asks here.
"""

from flags.errors import UserError
from records.format.manifest import BackboneInfo

# Where the weights were read is not compared: the same values may lie in several files. The views that were averaged
# are named in the words of the preprocessing.
_COMPARED = {"name": "name", "image_size": "image size", "feature_size": "feature size",
             "weights_sha256": "weights' sha256", "preprocessing": "preprocessing", "precision": "precision"}


def difference(found: BackboneInfo, expected: BackboneInfo) -> tuple[str, object, object] | None:
    """The first fact that differs, in words, with what was found and what was expected; None where all agree."""
    for field, words in _COMPARED.items():
        pair = getattr(found, field), getattr(expected, field)
        if pair[0] != pair[1]:
            return words, *pair
    return None


def check_same(found: BackboneInfo | None, expected: BackboneInfo | None, where: str, expected_by: str,
               remedy: str) -> None:
    """Checks that features of one backbone may stand in for those of another.

    Args:
      found: of the features at hand; None where the records hold none.
      expected: of the features that a model was trained on.
      where: what brought the found ones, such as "--records_dir=data/mine".
      expected_by: what expects the others, such as "--run_dir=runs/first".
      remedy: what to do about it.

    Raises:
      UserError: name, image size, feature size, weights, preprocessing (views included) or precision differ; the
        message names the first that does with both values.
    """
    for backbone, flag in ((found, where), (expected, expected_by)):
        if backbone is None:
            raise UserError(f"{flag}: its records hold no features (--backbone=none); {remedy}")
    assert found and expected
    if different := difference(found, expected):
        what, here, there = different
        raise UserError(f"{where}: its features do not fit {expected_by}: the backbone's {what} is {here}, expected "
                        f"{there}; {remedy}")
