"""Shards to write without pass 1: plans of photos made by hand."""

import hashlib
import json
import pathlib

import google_crc32c
from PIL import Image

from records.format import layout
from records.writing.shard_writer import ShardJob


def shard_jobs(images: pathlib.Path, records_dir: pathlib.Path, shards: int) -> list[ShardJob]:
    """Plans of the JPEG files in `images`, with a caption each, and the jobs that write them."""
    jobs = []
    photos = sorted(images.glob("*.jpg"))
    for shard in range(shards):
        lines = []
        for number, path in enumerate(photos[shard::shards]):
            with Image.open(path) as photo:
                width, height = photo.size
            lines.append(json.dumps({
                "key": path.name, "height": height, "width": width, "reencode": False,
                "file_crc32c": google_crc32c.value(path.read_bytes()),
                "captions": ["a dog", "a dog runs"], "tags": ["dog", "dog"],
                "tokens": [[3, 4, 1], [3, 4, 5 + number, 1]]}) + "\n")
        file = layout.shard_file("photos", "train", shard, shards)
        plan = pathlib.Path(layout.plan_path(records_dir, file))
        plan.parent.mkdir(parents=True, exist_ok=True)
        plan.write_text("".join(lines))
        jobs.append(ShardJob(str(records_dir), file, hashlib.sha256(plan.read_bytes()).hexdigest(), str(images), True,
                             None))
    return jobs
