"""--mode=inspect_records: a records folder for people.

    NAME: splits with their counts, how long captions are, the most frequent tags, what was left out and why
    contact_sheet.png: random photos with their captions and tags
"""

import dataclasses
import functools
import itertools
import os
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow as tf
from etils import epath
from google.protobuf.message import DecodeError

from flags.errors import UserError
from flags.inspect_records import InspectRecords
from records.format import layout
from records.format import manifest as manifests
from records.format.example import TAG_IDS
from records.format.manifest import Manifest
from records.format.tfrecord import Damage, walk
from records.images import contact_sheet
from records.input.shard_reader import Split, open_split
from records.text import unknown_words
from records.text.tag_vocabulary import TagVocabulary
from records.text.tokenizer import words
from records.text.vocabulary import END, UNK
from records.util import example_lines, regular_files
from records.util.counted import counted
from records.util.printable import printable
from records.util.progress import Progress

_NO_SHEET = "none"
_COLUMNS = 6
_CAPTIONS_SHOWN, _TAGS_SHOWN = 3, 10
_BAR = 50  # characters of the longest bar
_BINS = 20
_WIDTH = 110


@dataclasses.dataclass(frozen=True)
class _Shown:
    """An example on the sheet; `tags` are those of each caption."""

    key: str
    image: bytes | None
    captions: list[str]
    tags: list[list[str]]


@dataclasses.dataclass
class _Seen:
    """What a sample of the examples holds.

    Attributes:
      examples, captions: how many were read.
      lengths: target words of a caption -> captions.
      tags: tag -> captions that have it.
      unknown: target words that are <unk>.
      chosen: the examples for the sheet, with the split of each.
      first: lines that show the first examples of each split.
    """

    examples: int = 0
    captions: int = 0
    lengths: Counter[int] = dataclasses.field(default_factory=Counter)
    tags: Counter[str] = dataclasses.field(default_factory=Counter)
    unknown: int = 0
    chosen: list[tuple[str, _Shown]] = dataclasses.field(default_factory=list)
    first: list[list[str]] = dataclasses.field(default_factory=list)


def run(config: InspectRecords) -> None:
    """--mode=inspect_records. Raises UserError for a folder that is no intact records folder."""
    manifest = manifests.load(config.records_dir)
    names = [config.split] if config.split else [name for name, info in manifest.splits.items() if info.captions]
    splits = [open_split(config.records_dir, name) for name in names]
    stored = bool(manifest.flags.get("store_images", True))
    draws = config.sheet_images if config.sheet != _NO_SHEET and stored else 0
    seen = _look(splits, config.limit, draws, config.seed, TagVocabulary.load(config.records_dir))
    print("\n".join(_description(manifest, config.records_dir, seen, config.top_tags)))
    if draws:
        path = config.sheet or layout.contact_sheet_path(config.records_dir)
        _draw(seen, path, f"{manifest.name}: {len(seen.chosen)} of {counted(seen.examples, 'photo')}, drawn at random "
                          f"({', '.join(names)})")
        print(f"\ncontact sheet: {path}")
    elif not stored:
        print("\nno contact sheet: the photos are not in these records (--store_images=false)")


def _look(splits: list[Split], limit: int, draws: int, seed: int, names: TagVocabulary | None) -> _Seen:
    """Reads the first `limit` examples of each split; keeps `draws` of all that it reads."""
    sizes = [min(limit or split.info.examples, split.info.examples) for split in splits]
    picked = set(random.Random(seed).sample(range(sum(sizes)), min(draws, sum(sizes))))
    seen = _Seen()
    with Progress("reading", sum(sizes), "examples") as progress:
        for split, size in zip(splits, sizes, strict=True):
            seen.first.append([])
            for features in itertools.islice(_examples(split), size):
                if len(seen.first[-1]) < example_lines.EXAMPLES:
                    seen.first[-1].append(example_lines.example_line(
                        split.name, _strings(features, "key")[0], _strings(features, "captions"),
                        [tag for tags in _tags(features, names) for tag in tags], _unknown(features)))
                if seen.examples in picked:
                    seen.chosen.append((split.name, _Shown(
                        _strings(features, "key")[0], next(iter(features["image"].bytes_list.value), None),
                        _strings(features, "captions"), _tags(features, names))))
                _count(features, seen, names)
                progress.add(1)
    random.Random(seed).shuffle(seen.chosen)
    return seen


def _examples(split: Split) -> Iterator[Any]:
    """The features of each example, by name, in stored order; every record read is checked by its checksums."""
    for shard in split.info.shards:
        path = epath.Path(split.path(shard))
        try:
            with regular_files.open_binary(path) as file:
                for _, data in walk(file):
                    yield tf.train.Example.FromString(data).features.feature
        except (Damage, DecodeError) as damage:
            raise UserError(f"{path}: {damage}; --mode=verify_records finds all damage; restore it from a copy, or "
                            "run make_records again with --overwrite") from damage


def _strings(features: Any, name: str) -> list[str]:
    return [value.decode() for value in features[name].bytes_list.value]


def _tags(features: Any, names: TagVocabulary | None) -> list[list[str]]:
    """The tags of each caption."""
    if names is None:
        return [text.split() for text in _strings(features, "tags")]
    ids = iter(features[f"{TAG_IDS}/ragged_flat_values"].int64_list.value)
    lengths = features[f"{TAG_IDS}/ragged_row_lengths_0"].int64_list.value
    return [[names.tags[tag] for tag in itertools.islice(ids, length)] for length in lengths]


def _unknown(features: Any) -> list[str]:
    """The words of an example's captions that are <unk>; none where tokens are tags, or the captions keywords."""
    tokens = iter(features["tokens"].int64_list.value)
    unknown = []
    for caption in map(words, _strings(features, "captions")):
        ids = list(iter(functools.partial(next, tokens), END))
        if len(ids) == len(caption):
            unknown += [word for word, token in zip(caption, ids, strict=True) if token == UNK]
    return unknown


def _count(features: Any, seen: _Seen, names: TagVocabulary | None) -> None:
    seen.examples += 1
    tokens = list(features["tokens"].int64_list.value)
    start = 0
    while start < len(tokens):  # every caption ends in <end>
        end = tokens.index(END, start)
        seen.lengths[end - start] += 1
        start = end + 1
    seen.unknown += tokens.count(UNK)
    tags = _tags(features, names)
    seen.captions += len(tags)
    for of_caption in tags:
        seen.tags.update(of_caption)


def _description(manifest: Manifest, records_dir: str, seen: _Seen, top_tags: int) -> Iterator[str]:
    yield f"{records_dir}: {manifest.name}, target {manifest.target}, seed {manifest.seed}"
    yield f"made with {', '.join(f'{name} {version}' for name, version in sorted(manifest.created_with.items()))}"
    backbone = manifest.backbone
    yield (f"{counted(backbone.feature_size, 'feature')} per photo from {backbone.name}, {backbone.precision}, weights "
           f"{printable(os.path.basename(backbone.weights))} (sha256 {backbone.weights_sha256[:12]}…)" if backbone
           else "no features (--backbone=none)")
    words = sum(length * count for length, count in seen.lengths.items())
    remark = unknown_words.remark(seen.unknown, words, manifest.min_count, manifest.max_words)
    yield (f"{counted(manifest.vocabulary_size, 'word')} (--min_count={manifest.min_count}); "
           f"{_percent(seen.unknown, words)} of the target words are <unk>"
           + (f", {remark}" if remark else ""))
    yield ""
    yield from _table(
        ["split", "examples", "captions", "target words", "longest", "shards", "MB"],
        [[name, f"{info.examples:,}", f"{info.captions:,}", f"{info.tokens - info.captions:,}",
          f"{info.max_tokens - 1}", f"{len(info.shards):,}", f"{sum(s.bytes for s in info.shards) / 1e6:,.1f}"]
         for name, info in manifest.splits.items()])
    yield "\nexamples, as they were understood"
    lines = example_lines.choose(seen.first)
    yield from lines
    yield from example_lines.remark(lines)
    total = sum(info.examples for info in manifest.splits.values())
    read = "all" if seen.examples == total else f"{seen.examples:,} of the {total:,}"
    yield f"\ntarget words per caption, in {read} examples"
    yield from _histogram(seen.lengths)
    if top_tags and seen.tags:
        yield f"\nmost frequent tags, of {len(seen.tags):,}, and the share of captions that have each"
        yield from _columns(f"{printable(tag)} {_percent(count, seen.captions)}" for tag, count in
                            sorted(seen.tags.items(), key=lambda item: (-item[1], item[0]))[:top_tags])
    if manifest.duplicates_merged:
        merged = counted(manifest.duplicates_merged, "photo")
        yield f"\n{merged} with the pixels of another, merged with it"
    left_out = manifest.rejected
    yield f"\n{counted(left_out.total, 'row')} left out" + (f", see {layout.REJECTED}:" if left_out.total else "")
    for reason, count in sorted(left_out.by_reason.items(), key=lambda item: (-item[1], item[0])):
        yield f"  {count:8,}  {printable(reason)}"


def _table(header: list[str], rows: list[list[str]]) -> Iterator[str]:
    """The first column to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        yield "  ".join(f"{cell:<{widths[0]}}" if i == 0 else f"{cell:>{widths[i]}}" for i, cell in enumerate(row))


def _histogram(lengths: Counter[int]) -> Iterator[str]:
    width = max(lengths, default=0) // _BINS + 1
    bins: Counter[int] = Counter()
    for length, count in lengths.items():
        bins[length // width] += count
    most = max(bins.values(), default=0)
    for index in range(min(bins, default=0), max(bins, default=-1) + 1):
        low, high = index * width, index * width + width - 1
        label = f"{low}" if width == 1 else f"{low}–{high}"
        # A bin that holds anything at all shows: what is rare is what one looks for.
        bar = "█" * max(round(_BAR * bins[index] / most), bins[index] > 0)
        yield f"{label:>9}  {bar:<{_BAR}}  {bins[index]:,}"


def _columns(items: Iterable[str]) -> Iterator[str]:
    """Items in reading order, in columns."""
    cells = list(items)
    width = max(map(len, cells)) + 3
    per_line = max(1, _WIDTH // width)
    for start in range(0, len(cells), per_line):
        yield "  " + "".join(f"{cell:<{width}}" for cell in cells[start:start + per_line]).rstrip()


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"


def _draw(seen: _Seen, path: str, title: str) -> None:
    cells = []
    for split, example in seen.chosen:
        tags = Counter(tag for tags in example.tags for tag in tags)
        hidden = len(example.captions) - _CAPTIONS_SHOWN
        more = f" (+{counted(hidden, 'caption')})" if hidden > 0 else ""
        cells.append(contact_sheet.Cell(example.image, [
            *[(caption, contact_sheet.INK) for caption in example.captions[:_CAPTIONS_SHOWN]],
            (", ".join(tag for tag, _ in tags.most_common(_TAGS_SHOWN)), contact_sheet.GREEN),
            (f"{split}: {example.key}{more}", contact_sheet.GREY)]))
    try:
        contact_sheet.draw(cells, _COLUMNS, path, title)
    except OSError as error:
        raise UserError(f"--sheet: cannot write {path} ({error.strerror or error}); name another file with --sheet, or "
                        f"--sheet={_NO_SHEET}") from error
