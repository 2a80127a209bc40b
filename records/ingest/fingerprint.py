"""What shapes the bytes of a records folder: flags, contents of the input files, versions of the programs.

A restart continues the same work or refuses, by comparing these settings. They are in .make_records/settings.json while
make_records works, and in the manifest afterwards.
"""

import json
import os
import re
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from flags.errors import UserError
from flags.make_records import MakeRecords
from flags.spec import pairs
from records.format import layout
from records.format.held_out import OWN_SPLITS
from records.sources import dataset_sha256, is_spooled, is_tableless, table_files
from records.util.hashing import file_sha256

_VERSIONS = ("pillow", "textblob")  # they shape re-encoded images, and tags
_INDEXED = ("captions_sha256", "dataset_sha256", "captions_format", "max_words_per_caption", *_VERSIONS)
# A setting that is a hash, which says nothing to anyone: what it is of, and the flag that names that.
_CONTENTS = {
    "captions_sha256": ("the table", "captions"), "dataset_sha256": ("the dataset", "captions"),
    "vocabulary_sha256": ("the records", "vocabulary"), "split_lists": ("a list", "split_lists"),
    "backbone_weights_sha256": ("the weights", "backbone_weights")}
_INSTALLED = ("pillow", "textblob", "tensorflow")


_BEFORE = {"tag_forms": "published"}  # what records were made with before there was such a setting


def dataset_name(config: MakeRecords) -> str:
    """--name, or the last part of --records_dir, as TensorFlow Datasets accepts it.

    Raises:
      UserError: --name holds other characters than letters, digits and underscores.
    """
    if config.name:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", config.name):
            raise UserError(f"--name={config.name}: expected letters, digits and underscores, starting with a letter")
        return config.name
    last = os.path.basename(os.path.abspath(config.records_dir).rstrip("/"))
    name = re.sub(r"[^A-Za-z0-9]+", "_", last).strip("_").lower()
    return name if name[:1].isalpha() else f"records_{name}".rstrip("_")


def settings_of(config: MakeRecords, name: str) -> dict[str, Any]:
    """Everything that shapes the records' bytes, by flag name, but for `backbone_settings`."""
    lists = {split: _sha256(file, "split_lists") for split, file in pairs(config.split_lists, "split_lists").items()}
    source = (config.captions, config.captions_format)
    has_table = not is_spooled(*source) and not is_tableless(*source)
    content = dataset_sha256(*source, config.images, config.target == "tags")
    settings: dict[str, Any] = {
        "captions_sha256": _tables_sha256(config.captions) if has_table else config.captions,
        "captions_format": config.captions_format, "target": config.target,
        "tag_forms": config.tag_forms,
        "split_lists": lists or None, "split_fractions": config.split_fractions, "shards": config.shards,
        "name": name, "min_count": config.min_count, "max_words": config.max_words,
        "max_words_per_caption": config.max_words_per_caption, "store_images": config.store_images,
        "seed": config.seed, "backbone": config.backbone, **{name: metadata.version(name) for name in _VERSIONS},
    }
    if content is not None:
        settings["dataset_sha256"] = content
    if config.follow_links:  # older records have no such setting, nor the next
        settings["follow_links"] = True
    if config.vocabulary:
        settings["vocabulary_sha256"] = [_sha256(os.path.join(config.vocabulary, file), "vocabulary")
                                         for file in (layout.VOCABULARY, layout.MANIFEST)]
    if config.store_size:
        settings["store_size"] = config.store_size
    return settings


def backbone_settings(config: MakeRecords, weights_sha256: str | None) -> dict[str, Any]:
    """What shapes the features; nothing where there is no backbone.

    Args:
      weights_sha256: of its weights.
    """
    if config.backbone == "none":
        return {}
    return {"backbone_weights_sha256": weights_sha256, "backbone_precision": config.backbone_precision,
            "feature_views": config.feature_views, "tensorflow": metadata.version("tensorflow"),
            **({"image_size": config.image_size} if config.image_size else {})}


def database_inputs(settings: Mapping[str, Any], images_dir: str) -> str:
    """The settings that what is known of single rows and photos depends on, in words."""
    return json.dumps({"images": images_dir, "own_splits": own_splits(settings),
                       "keywords": settings["target"] == "tags",
                       **{name: settings.get(name) for name in _INDEXED}}, sort_keys=True)


def own_splits(settings: Mapping[str, Any]) -> bool:
    """Whether the splits that the table itself gives its rows count: where no flag says otherwise."""
    return not settings["split_lists"] and not settings["split_fractions"]


def _tables_sha256(captions: str) -> str | list[list[str]]:
    """Of one table its hash; of several their names too, as these may say their splits."""
    hashes = [[os.path.basename(file), _sha256(file, "captions")] for file in table_files(captions)]
    return hashes[0][1] if len(hashes) == 1 else hashes


def _sha256(file: str, flag: str) -> str:
    try:
        return file_sha256(file)
    except FileNotFoundError:
        raise UserError(f"--{flag}: {file} does not exist; give the path of a file") from None
    except OSError as error:
        raise UserError(f"--{flag}: {file} cannot be read ({error.strerror or error}); "
                        "give the path of a file") from error


def check_same(recorded: Mapping[str, Any], current: Mapping[str, Any], records_dir: str, what: str) -> None:
    """Raises UserError that names the first setting that differs."""
    recorded = {**_BEFORE, **recorded}
    for name in sorted(set(recorded) | set(current)):
        if name == OWN_SPLITS:  # what came of the table, whose hash is compared
            continue
        if name == "dataset_sha256" and None in (recorded.get(name), current.get(name)):
            continue  # records of earlier versions do not have it, and a dataset may be gone once it is converted
        before, now = recorded.get(name), current.get(name)
        if before == now:
            continue
        if name in _INSTALLED:
            difference = f"made with {name} {before}, and {now} is installed now; install that version"
        elif name in _CONTENTS:
            content, flag = _CONTENTS[name]
            difference = (f"made before {content} of --{flag} changed, or with another; undo that" if before and now
                          else f"made with --{flag}; give it" if before else f"made without --{flag}; leave it out")
        elif before is None:
            difference = f"made without --{name}, which is {now!r} now; leave it out"
        elif now is None:
            difference = f"made with --{name}={before}, which is left out now; give it"
        else:
            difference = f"made with another value of --{name}: {before!r} there, {now!r} now; give that value"
        raise UserError(f"--records_dir={records_dir}: holds {what} {difference}, or give another folder, or "
                        "--overwrite to make the records anew")
