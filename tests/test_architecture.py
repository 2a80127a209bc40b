"""Which room may import which: the drawing of BUILD.md, held against the imports of every module; and where tests are.

A room is a folder of records/ or tagger/, or an entry point beside those folders. A new arrow is a decision: draw it
here and in BUILD.md, or move what is needed to where it belongs.
"""

import ast
import graphlib
import pathlib
import re

from tests.conftest import ROOT

# Each room: the rooms of its own package that it may import. `flags` and `records.util` are open to all of records/
# and tagger/, and what tagger/ takes from records/ is below.
RECORDS = {
    "util": "",
    "images": "",
    "format": "",
    "sources": "text images",
    "text": "format",
    "backbones": "images format",
    "writing": "backbones format images",
    "runners": "writing",
    "ingest": "sources images text format",
    "beam": "ingest runners sources images text format",
    "input": "format images",
    "make_records": "ingest beam runners writing sources text format",
    "verify_records": "format",
    "inspect_records": "input images text format",
}
TAGGER = {
    "modeling": "",
    "runs": "modeling",
    "losses": "modeling",
    "decoding": "modeling runs",
    "evaluation": "decoding modeling evaluation.metrics",
    "evaluation.metrics": "",
    "saved_model": "decoding",
    "serving": "saved_model",
    "tagging": "saved_model",
    "training": "losses evaluation decoding modeling runs",
    "reporting": "evaluation training runs",
    "train": "training runs",
    "evaluate": "evaluation evaluation.metrics decoding runs training",
    "export": "saved_model decoding runs",
    "tag": "tagging saved_model",
    "serve": "serving",
    "report": "reporting runs",
    "demo": "",
}
# A run that trained its backbone makes records with its own features; bulk tagging runs on a cluster as records do.
ENTRY_POINTS = {"runs": "make_records", "tagging": "runners"}
# What records/ gives: its formats and words, the way out of the shards, and what served photos go through as well.
FROM_RECORDS = {"util", "format", "text", "input", "images", "backbones"}


def _modules() -> dict[str, pathlib.Path]:
    paths = [path for package in ("flags", "records", "tagger") for path in (ROOT / package).rglob("*.py")]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


MODULES = _modules()


def _imports(path: pathlib.Path) -> set[str]:
    """The modules of this project that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    names = {name for name in names if name in MODULES}
    return {name for name in names if not any(other.startswith(f"{name}.") for other in names)}


def _room(module: str) -> str:
    """records.input for records.input.shuffling; an entry point is a room of its own."""
    return module if MODULES[module].name == "__init__.py" or module.count(".") < 2 else module.rpartition(".")[0]


def _arrows() -> dict[str, set[str]]:
    """Room -> the other rooms that its modules import."""
    arrows: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        if module not in ("flags", "records", "tagger"):
            room = _room(module)
            arrows.setdefault(room, set()).update(set(map(_room, _imports(path))) - {room})
    return arrows


ARROWS = _arrows()


def test_every_room_is_drawn():
    rooms = {f"records.{name}" for name in RECORDS} | {f"tagger.{name}" for name in TAGGER}
    assert {room for room in ARROWS if not room.startswith("flags")} == rooms


def test_flags_import_neither_records_nor_tagger():
    assert all(other.startswith("flags") for room, others in ARROWS.items() if room.startswith("flags")
               for other in others)


def test_rooms_import_what_is_drawn_and_no_more():
    drawn = {f"records.{name}": {f"records.{other}" for other in others.split()} | {"records.util"}
             for name, others in RECORDS.items()}
    from_records = {f"records.{name}" for name in FROM_RECORDS}
    drawn |= {f"tagger.{name}": {f"tagger.{other}" for other in others.split()} | from_records
              | {f"records.{other}" for other in ENTRY_POINTS.get(name, "").split()} for name, others in TAGGER.items()}
    new = [f"{room} → {other}" for room, others in ARROWS.items() if room in drawn
           for other in sorted(others - drawn[room]) if not other.startswith("flags")]
    unused = [f"{room} → {other}" for room, others in drawn.items()
              for other in sorted(others - ARROWS[room] - from_records - {"records.util"})]
    assert (new, unused) == ([], [])


def test_no_circle_between_rooms():
    graphlib.TopologicalSorter(ARROWS).prepare()  # raises CycleError, which names the circle


# Modules without a test file of their name, and why.
TESTED_ELSEWHERE = {
    **{f"records.beam.{name}": "steps of pass 1, whose outcome tests/records/beam/test_plan.py compares to the byte"
       for name in ("rows", "twins", "examples", "shard_plans")},
    "records.ingest.database_tables": "the tables themselves; tests/records/ingest/test_database.py fills them",
    "tagger.demo": "one process runs it for the whole suite, the fixture `demo`; tests/test_main.py reads what it said",
    "tagger.reporting.metric_columns": "constants",
    "tagger.reporting.style": "a style sheet",
    "tagger.serving.server": "a real process, in tests/tagger/test_serve.py",
    "tagger.tagging.shards": "written by tests/tagger/tagging/test_bulk.py and test_cluster.py",
    "tagger.tagging.job": "a dataclass without methods",
}


def test_every_module_has_a_test_file_of_its_name():
    """records/x/y.py is tested in tests/records/x/test_y.py, tagger/train.py in tests/tagger/test_train.py."""
    untested = {name for name, path in MODULES.items()
                if name.startswith(("records.", "tagger.")) and path.name != "__init__.py"
                and not (ROOT / "tests" / path.relative_to(ROOT)).with_name(f"test_{path.name}").exists()}
    assert untested == set(TESTED_ELSEWHERE), "write its tests there, or name it above with the reason"


def test_the_picture_of_build_md_is_the_tree():
    drawn = re.findall(r"^ {4,8}([a-z_]+)/ +\S", (ROOT / "BUILD.md").read_text(), re.M)
    rooms = [path.parent.name for package in ("records", "tagger") for path in (ROOT / package).glob("*/__init__.py")]
    assert sorted(drawn) == sorted([*rooms, "flags", "records", "tagger", "benchmarks", "tests"])
