"""Every file of a records folder: its name, and its path while make_records works.

    NAME-SPLIT.tfrecord-00000-of-00016     the shards
    manifest.json                          written last: a folder that has one is complete
    dataset_info.json, features.json       what TensorFlow Datasets reads
    vocabulary.txt, word_counts.tsv        the words, and how often each occurs
    tags.txt, tag_forms.tsv                the tags, how often each occurs, and the words that count for it
    rejected.jsonl, duplicates.jsonl       what was left out, and which photos became one example
    contact_sheet.png                      drawn by inspect_records
    .make_records/                         the staging folder of an unfinished make_records
        settings.json, plan.json, plans/SHARD.jsonl, done/SHARD.json
        index-HASH.sqlite              the ingest database; with gs:// and the like in this machine's temporary folder
        photos/                        copies of photos that a source brings along and that nothing else can find
        cluster-INPUTS/                what the workers of a cluster leave for each other, and HASH.failure of steps
"""

import os
import re

from etils import epath

MANIFEST = "manifest.json"
DATASET_INFO, FEATURES = "dataset_info.json", "features.json"
VOCABULARY, WORD_COUNTS = "vocabulary.txt", "word_counts.tsv"
REJECTED, DUPLICATES = "rejected.jsonl", "duplicates.jsonl"
# What the manifest lists beside the shards.
OTHER_FILES = (DATASET_INFO, DUPLICATES, FEATURES, REJECTED, VOCABULARY, WORD_COUNTS)
TAGS, TAG_FORMS = "tags.txt", "tag_forms.tsv"
TAG_FILES = (TAG_FORMS, TAGS)  # and what it lists where there is a tag vocabulary
CONTACT_SHEET = "contact_sheet.png"

STAGING_DIR = ".make_records"  # removed by the last step of make_records
SETTINGS = "settings.json"  # what the unfinished records were started with
PLAN = "plan.json"  # the outcome of pass 1
MOST_SHARDS = 99_999  # of a split: five digits number them


def shard_file(name: str, split: str, shard: int, shards: int) -> str:
    """The name of shard number `shard`, from 0, of a split's `shards`, as TensorFlow Datasets names it."""
    return f"{name}-{split}.tfrecord-{shard:05d}-of-{shards:05d}"


def is_shard(file: str) -> bool:
    """Whether a file name looks like a TFRecord shard's: NAME-SPLIT.tfrecord-00000-of-00016."""
    return re.search(r"\.tfrecord-\d{5}-of-\d{5}$", file) is not None


def staging_dir(records_dir: epath.PathLike) -> epath.Path:
    """What an unfinished make_records keeps beside the shards."""
    return epath.Path(records_dir) / STAGING_DIR


def plan_path(records_dir: epath.PathLike, shard: str) -> epath.Path:
    """Where the plan of a shard is: what it will hold, but for the contents of the image files."""
    return staging_dir(records_dir) / "plans" / f"{shard}.jsonl"


def receipt_path(records_dir: epath.PathLike, shard: str) -> epath.Path:
    """Where a runner notes that it has written a shard, and what is in it."""
    return staging_dir(records_dir) / "done" / f"{shard}.json"


def cluster_dir(records_dir: epath.PathLike, inputs: str) -> epath.Path:
    """Where the workers of a cluster keep what they know of rows and photos; `inputs` names what that depends on."""
    return staging_dir(records_dir) / f"cluster-{inputs}"


def contact_sheet_path(records_dir: epath.PathLike) -> str:
    """Where inspect_records draws its sheet unless told."""
    return os.fspath(epath.Path(records_dir) / CONTACT_SHEET)
