"""What a progress line says: amounts and rates in the unit's own size, and quiet when piped."""

import io

import pytest

from records.util import progress
from records.util.progress import Progress, duration


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def _piped(clock, seconds, count, **kwargs):
    stream = io.StringIO()
    with Progress("work", total=kwargs.pop("total", count), unit=kwargs.pop("unit", "photos"), stream=stream,
                  **kwargs) as line:
        clock[0] = seconds
        line.add(count)
    return stream.getvalue().splitlines()


def test_a_slow_rate_shows_a_decimal(clock):
    assert _piped(clock, 20.0, 46) == ["work: 46 photos in 20 s (2.3/s)"]


def test_a_very_slow_rate_is_not_nothing(clock):
    assert _piped(clock, 43.0, 1) == ["work: 1/1 photos, 0.023/s", "work: 1 photo in 43 s (0.023/s)"]


def test_a_fast_rate_shows_none(clock):
    assert _piped(clock, 2.0, 24_001) == ["work: 24,001 photos in 2 s (12,000/s)"]


def test_where_there_was_nothing_to_do_nothing_is_shown(clock):
    assert _piped(clock, 0.0, 0) == []


def test_bytes_are_shown_in_the_unit_given(clock):
    assert _piped(clock, 2.0, 17_687_039, unit="MB", scale=1e6) == ["work: 18 MB in 2 s (8.8/s)"]


def test_a_pipe_sees_a_line_with_an_estimate_every_half_minute(clock):
    assert _piped(clock, 31.0, 62, total=124) == [
        "work: 62/124 photos, 2/s, 31 s left", "work: 62 photos in 31 s (2/s)"]


def test_what_comes_once_before_the_first_photos_is_in_no_estimate(clock):
    stream = io.StringIO()
    stream.isatty = lambda: True
    with Progress("tag", total=50, unit="photos", stream=stream, warms_up=True) as line:
        for seconds in (20.0, 20.3, 25.0):  # a network is compiled for 15 s; then 10 photos take 5 s
            clock[0] = seconds
            line.add(10 if seconds != 20.3 else 0)
    assert [text.strip().removesuffix("\x1b[K") for text in stream.getvalue().split("\r")[1:]] == [
        "tag: 10/50 photos", "tag: 10/50 photos", "tag: 20/50 photos, 2/s, 15 s left", "tag: 20 photos in 25 s (0.8/s)"]


def test_an_earlier_run_counts_as_done_but_not_in_the_rate(clock):
    assert _piped(clock, 10.0, 50, initial=100) == ["work: 150 photos in 10 s (5/s)"]


@pytest.mark.parametrize("seconds, text", [(42.4, "42 s"), (185, "3 min 05 s"), (7_620, "2 h 07 min")])
def test_durations_have_two_units_at_most(seconds, text):
    assert duration(seconds) == text
