"""--mode=tag: captions and tags of photos, with nothing but an exported SavedModel and TensorFlow."""

import functools
import json
import os
import shutil
import sys
from collections.abc import Sequence

from etils import epath

from flags.choices import SHEET_PHOTOS
from flags.errors import UserError
from flags.tag import Tag
from records.images.contact_sheet import BLUE, INK, Cell, draw
from records.util.counted import counted
from records.util.printable import printable
from records.util.progress import Progress
from tagger.saved_model import arithmetic
from tagger.saved_model.loaded import SavedModel
from tagger.saved_model.versions import newest
from tagger.tagging import xmp
from tagger.tagging.names import WILD, Others, as_utf8, in_folder, left_out, matching
from tagger.tagging.photos import SUFFIXES, answer_photos, options_of, read_photo
from tagger.tagging.read_ahead import answered

_SHEET_COLUMNS, _SHEET_TAGS = 4, 6


def run(config: Tag) -> int:
    """Prints what the model sees in each photo, or writes it to --output.

    Returns:
      the exit status: 0 where at least one photo could be read, else 1; the last line counts the others.
    """
    if bool(config.images) != bool(config.output) or config.output and config.photos:
        raise UserError("--images=FOLDER and --output=FOLDER belong together, without IMAGE behind the flags; to see "
                        "the answers on the terminal, give IMAGE alone")
    if not config.output:
        return _print(config)
    if config.json or config.sheet:
        raise UserError("--json and --sheet are for IMAGE; with --output, give --output_format")
    from tagger.tagging import bulk

    return bulk.run(config)


def _print(config: Tag) -> int:
    others = Others()
    paths = find_images(config.photos, others)
    if line := left_out(others):
        print(line, file=sys.stderr)
    if config.sheet:
        _check_sheet(config.sheet)
    saved_model = newest(config.export_dir, config.precision)
    if warning := arithmetic.slow_here(saved_model):
        print(warning, file=sys.stderr)
    model = SavedModel(saved_model)
    read, empty, failed, cells = 0, 0, list[str](), list[Cell]()
    photos = ((0, path) for path in paths)
    with Progress("tag", len(paths), "photos", warms_up=True) as progress:
        for (_, path), content, answer in answered(photos, read_photo, functools.partial(
                answer_photos, model, options=options_of(config)), config.batch_size):
            if "error" in answer:
                failed.append(f"{printable(path)}: {answer['error']}")
            else:
                read, empty = read + 1, empty + (not answer["caption"])
                if config.write_xmp:
                    xmp.write(xmp.sidecar_path(os.fspath(path)), answer["tags"])
                tags = list(zip(answer.pop("tags"), answer.pop("scores"), strict=True))
                answer["tags"] = [{"tag": tag, "score": score} for tag, score in tags]
                if config.sheet and len(cells) < SHEET_PHOTOS:
                    cells.append(_cell(content, answer))
            if config.json:
                print(json.dumps({"image": as_utf8(path), **answer}, ensure_ascii=False), flush=True)
            elif "error" not in answer:
                print(_table(path, answer), flush=True)
            progress.add(1)
    if empty:
        print(f"{empty} of {counted(read, 'photo')} got no words, only ranked tags: the model has learnt too little to "
              "write; more photos help, or more steps (a smaller --batch_size, more --epochs and --patience) where its "
              "best epoch was among the last", file=sys.stderr)
    if cells:
        draw(cells, _SHEET_COLUMNS, config.sheet)
        print(f"{counted(len(cells), 'photo')} drawn into {printable(config.sheet)}", file=sys.stderr)
    if failed:
        print("\n  ".join(["could not be read:", *failed]) + f"\n{counted(read, 'photo')} tagged, {len(failed)} of "
              f"{len(paths)} could not be read", file=sys.stderr)
    return 0 if read else 1


def _check_sheet(sheet: str) -> None:
    """Raises UserError where the sheet cannot be written, before an hour's work for it."""
    folder = os.path.dirname(sheet) or "."
    if "://" in sheet:
        return
    if os.path.isdir(sheet) or not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        what = "is a folder" if os.path.isdir(sheet) else f"{folder} is no folder that can be written to"
        raise UserError(f"--sheet={sheet}: {what}; name a PNG in a folder that there is")


def find_images(arguments: Sequence[str], others: Others | None = None) -> list[epath.Path]:
    """The photos that files, folders (searched through) and patterns stand for; each once, in the order given.

    Args:
      others: what folders hold beside photos is added to it.

    Raises:
      UserError: no arguments, or one that stands for nothing.
    """
    if not arguments:
        raise UserError("--mode=tag: found no IMAGE; name photos, folders or patterns after the flags")
    paths: dict[str, epath.Path] = {}
    for argument in arguments:
        path = epath.Path(argument)
        if path.is_dir():
            matches = sorted(map(epath.Path, in_folder(argument, others)))
        elif path.exists():
            matches = [path]
        elif WILD & set(argument):
            matches = sorted(map(epath.Path, matching(argument)))
        else:
            raise UserError(f"{argument}: no such photo or folder; check the path")
        if not matches:
            raise UserError(f"{argument}: holds no photo ({', '.join(SUFFIXES)}); check the path")
        paths.update((str(match), match) for match in matches)
    return list(paths.values())


def _cell(content: bytes, answer: dict) -> Cell:
    tags = ", ".join(f"{item['tag']} {item['score']:.0%}" for item in answer["tags"][:_SHEET_TAGS])
    return Cell(content, [(tags or "(no tags)", INK), (answer["caption"] or "(no words)", BLUE)])


def _table(path: epath.Path, answer: dict) -> str:
    """'photo.jpg', its tags with percentages, wrapped to the terminal, and its caption."""
    width = max(shutil.get_terminal_size((100, 24)).columns, 40)
    lines, line = [], "   "
    for item in answer["tags"]:
        cell = f" {item['tag']} {item['score']:.0%} "
        if len(line) + len(cell) > width:
            lines.append(line)
            line = "   "
        line += cell
    tags = [full.rstrip() for full in (*lines, line)] if answer["tags"] else ["    (no tags)"]
    return "\n".join([printable(path), *tags, f"    {answer['caption'] or '(no words)'}"])
