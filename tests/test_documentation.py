"""The documentation names files that exist."""

import re
import shlex

import pytest

import main
from tests.conftest import ROOT

PAGES = ["README.md", "BUILD.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_paths_and_links_exist(page):
    text = (ROOT / page).read_text()
    paths = re.findall(r"`((?:records|tagger|flags|tests|benchmarks|configs|docs|\.github)/[\w./-]*)`", text)
    missing = [path for path in paths if not (ROOT / path).exists()]
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)[^)]*\)", prose)
    missing += [link for link in links if not ((ROOT / page).parent / link).exists()]
    assert not missing


def test_tests_that_build_md_promises_exist():
    names = set(re.findall(r"`(test_\w+\.py)`", (ROOT / "BUILD.md").read_text()))
    assert names and names <= {path.name for path in (ROOT / "tests").rglob("test_*.py")}


def _required():
    """{package: lowest version} of setup.cfg."""
    return dict(re.findall(r"^    ([\w-]+)>=([\d.]+)", (ROOT / "setup.cfg").read_text(), re.M))


def test_every_dependency_has_its_reason():
    cells = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", (ROOT / "BUILD.md").read_text(), re.M)
    assert [name for name in _required() if not any(name in cell for cell in cells)] == []


def test_make_lowest_installs_the_lower_end_of_every_range():
    constraints = (ROOT / "tests/constraints-lowest.txt").read_text()
    lowest = dict(re.findall(r"^([\w-]+)==([\d.]+)$", constraints, re.M))
    required = _required()
    required.pop("apache-beam")  # `make beam` has an environment of its own
    assert lowest.keys() == required.keys()
    for name, version in required.items():
        assert re.fullmatch(re.escape(version) + r"(\.0)*", lowest[name]), name


def _commands(page):
    """The `tagger` commands of a page, without the variables before them and the comments behind them."""
    lines = re.findall(r"^    (?:\w+=\S+ )*tagger (--mode=.*)$", (ROOT / page).read_text(), re.M)
    return [shlex.split(line.removesuffix("&"), comments=True) for line in lines]


@pytest.mark.parametrize("page", PAGES[2:])  # README's are run (tests/test_readme.py)
def test_commands_have_flags_that_there_are(page, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    for arguments in _commands(page):
        assert main.main(["tagger", *arguments, "--help"]) == 0, (arguments, capsys.readouterr().err)
    assert page not in ("docs/clusters.md", "docs/coco.md", "docs/scaling.md") or _commands(page)
