"""Users' own code is found in the folder where the command is started, and its errors are one line."""

import subprocess
import sys

import pytest

from flags.errors import UserError
from records.util import user_code
from tests.conftest import ROOT


def test_a_file_of_the_current_folder_needs_no_path(tmp_path):
    (tmp_path / "my_helper.py").write_text("VALUE = 7\n")
    (tmp_path / "my_file.py").write_text("def seven():\n    import my_helper\n    return my_helper.VALUE\n")
    program = f"import sys; sys.path[0] = {str(ROOT)!r}; from records.util import user_code; " \
              "print(user_code.call('my_file:seven', 'backbone'))"
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, text=True, capture_output=True, check=False)
    assert result.stdout == "7\n", result.stderr


@pytest.mark.parametrize("name, named", [
    ("json", "--backbone=json: expected module:name"), ("json:", "expected module:name"),
    (":loads", "expected module:name"), ("no_such_module:x", "No module named 'no_such_module'"),
    ("json:nothing", "has no nothing"),
    ("json:loads", "--backbone=json:loads: is called without arguments, which it cannot be .loads.. missing 1 "
                   "required.*; give its arguments defaults, or name a function that makes it$")])
def test_what_cannot_be_used_is_one_line(name, named):
    with pytest.raises(UserError, match=named) as error:
        user_code.call(name, "backbone")
    assert "\n" not in str(error.value)


def test_an_error_in_the_users_file_is_shown_with_its_place(tmp_path, monkeypatch):
    (tmp_path / "broken_file.py").write_text("a = 1\nb = a / 0\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="ZeroDivisionError: division by zero, broken_file.py line 2"):
        user_code.load("broken_file:b", "callbacks")
