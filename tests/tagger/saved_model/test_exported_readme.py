"""README.md of an export: its answer is a real one, and its commands work as they stand."""

import json
import os
import pathlib
import subprocess
import sys
import textwrap

from tests.records.inputs import PHOTOS


def test_the_readme_holds_a_request_and_its_real_answer(version, plain):
    text = (version.parent / "README.md").read_text()
    line = next(line for line in text.splitlines() if line.strip().startswith('{"predictions"'))
    prediction = json.loads(line)["predictions"][0]
    answer = plain.answer([PHOTOS[0].read_bytes()])[0]
    assert prediction["caption"] == answer["caption"]
    assert prediction["tags"] == [tag for tag, _ in answer["tags"]]
    for name in ("image_bytes", "caption", "tags", "tag_scores", "valid", "beam_width", "length_penalty", "max_length",
                 "min_score", "top_tags"):
        assert f"`{name}`" in text


def readme_commands(version: pathlib.Path, marker: str) -> str:
    """The indented block of the export's README that holds `marker`, without its indentation."""
    blocks = (version.parent / "README.md").read_text().split("\n\n")
    return textwrap.dedent(next(block for block in blocks if block.startswith("    ") and marker in block))


def test_the_readmes_python_and_command_line_work_as_they_stand(version, model, tmp_path, monkeypatch):
    (tmp_path / "1").symlink_to(version)
    (tmp_path / "photo.jpg").write_bytes(PHOTOS[0].read_bytes())
    expected = model.answer([PHOTOS[0].read_bytes()])[0]["caption"]
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(readme_commands(version, "tf.saved_model.load"), names)
    assert names["answer"]["caption"].numpy()[0].decode() == expected
    binaries = pathlib.Path(sys.executable).parent
    result = subprocess.run(["sh", "-ec", readme_commands(version, "saved_model_cli run")], text=True, check=False,
                            capture_output=True, env=os.environ | {"PATH": f"{binaries}:{os.environ['PATH']}"})
    assert result.returncode == 0, result.stderr[-2000:]
    assert expected in result.stdout
