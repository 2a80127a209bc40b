"""--mode=tag: captions and tags of photos, with nothing but an exported SavedModel and TensorFlow."""

import glob
import json
import shutil
import sys
from collections.abc import Iterator, Sequence

from etils import epath

from flags.errors import UserError
from flags.tag import Tag
from records.images.contact_sheet import BLUE, INK, Cell, draw
from records.util.progress import Progress
from tagger.saved_model.loaded import SavedModel
from tagger.saved_model.versions import newest

_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
_WILD = frozenset("*?[")
_SHEET_PHOTOS, _SHEET_COLUMNS, _SHEET_TAGS = 24, 4, 6


def run(config: Tag) -> int:
    """Prints what the model sees in each photo; 1 when none could be read."""
    paths = find_images(config.images)
    model = SavedModel(newest(config.export_dir))
    read, failed, cells = 0, [], list[Cell]()
    with Progress("tag", len(paths), "photos") as progress:
        for start in range(0, len(paths), config.batch_size):
            batch = paths[start:start + config.batch_size]
            for path, answer in zip(batch, _answers(model, batch), strict=True):
                if "error" in answer:
                    failed.append(f"{path}: {answer['error']}")
                else:
                    read += 1
                    if config.sheet and len(cells) < _SHEET_PHOTOS:
                        cells.append(_cell(path, answer))
                if config.json:
                    print(json.dumps({"image": str(path), **answer}, ensure_ascii=False), flush=True)
                elif "error" not in answer:
                    print(_table(path, answer), flush=True)
            progress.add(len(batch))
    if cells:
        draw(cells, _SHEET_COLUMNS, config.sheet)
        print(f"{len(cells)} photos drawn into {config.sheet}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} of {len(paths)} could not be read:\n  " + "\n  ".join(failed), file=sys.stderr)
    return 0 if read else 1


def find_images(arguments: Sequence[str]) -> list[epath.Path]:
    """The photos that files, folders (searched through) and patterns stand for; each once, in the order given.

    Raises:
      UserError: no arguments, or one that stands for nothing.
    """
    if not arguments:
        raise UserError("--mode=tag: found no IMAGE; name photos, folders or patterns after the flags")
    found: dict[str, epath.Path] = {}
    for argument in arguments:
        path = epath.Path(argument)
        if path.is_dir():
            matches = sorted(folder / name for folder, _, names in path.walk() for name in names
                             if epath.Path(name).suffix.lower() in _SUFFIXES)
        elif path.exists():
            matches = [path]
        elif _WILD & set(argument):
            matches = _glob(argument)
        else:
            raise UserError(f"{argument}: no such photo or folder; check the path")
        if not matches:
            raise UserError(f"{argument}: holds no photo ({', '.join(_SUFFIXES)}); check the path")
        found.update((str(match), match) for match in matches)
    return list(found.values())


def _glob(pattern: str) -> list[epath.Path]:
    """Files that match, sorted. On object stores ** is no pattern: a folder is searched through instead."""
    scheme, separator, rest = pattern.partition("://")
    if separator:
        bucket, _, inner = rest.partition("/")
        found = list(epath.Path(f"{scheme}://{bucket}").glob(inner))
    else:
        found = [epath.Path(name) for name in glob.glob(pattern, recursive=True)]
    return sorted(path for path in found if not path.is_dir())


def _answers(model: SavedModel, paths: Sequence[epath.Path]) -> Iterator[dict]:
    """Per path: caption and tags, or error."""
    contents: list[bytes | str] = []
    for path in paths:
        try:
            contents.append(path.read_bytes())
        except OSError as error:
            contents.append(f"cannot be read ({error.strerror or error})")
    answers = iter(model.answer([content for content in contents if isinstance(content, bytes)]))
    for content in contents:
        if isinstance(content, str):
            yield {"error": content}
            continue
        answer = next(answers)
        if answer["valid"]:
            yield {"caption": answer["caption"], "tags": [{"tag": t, "score": round(s, 4)} for t, s in answer["tags"]]}
        else:
            yield {"error": f"{len(content)} bytes that are no image TensorFlow can decode"}


def _cell(path: epath.Path, answer: dict) -> Cell:
    tags = "  ".join(f"{item['tag']} {item['score']:.0%}" for item in answer["tags"][:_SHEET_TAGS])
    return Cell(path.read_bytes(), [(answer["caption"] or "(no words)", INK), (tags, BLUE)])


def _table(path: epath.Path, answer: dict) -> str:
    """'photo.jpg', its caption, and its tags with percentages, wrapped to the terminal."""
    width = max(shutil.get_terminal_size((100, 24)).columns, 40)
    lines, line = [], "   "
    for item in answer["tags"]:
        cell = f" {item['tag']} {item['score']:.0%} "
        if len(line) + len(cell) > width:
            lines.append(line)
            line = "   "
        line += cell
    return "\n".join([str(path), f"    {answer['caption'] or '(no words)'}",
                      *(full.rstrip() for full in (*lines, line))])
