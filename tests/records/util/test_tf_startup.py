import os

import pytest

from records.util.tf_startup import tensorflow_starts


def noise():
    os.write(2, b"noise\n")  # as C++ writes


def test_noise_is_held_back_and_what_follows_is_not(capfd, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    with tensorflow_starts():
        noise()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_noise_is_shown_when_the_start_fails_or_when_it_is_asked_for(capfd, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    with pytest.raises(ImportError), tensorflow_starts():
        noise()
        raise ImportError
    assert capfd.readouterr().err == "noise\n"
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with tensorflow_starts():
        noise()
    assert capfd.readouterr().err == "noise\n"
