import os
import signal

import pytest

from tagger.training.signals import StopSignals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_is_a_wish_and_the_second_is_not_held_back(number):
    arrived = []
    before = signal.signal(number, lambda *_: arrived.append(number))
    try:
        with StopSignals() as signals:
            assert signals.number == 0
            os.kill(os.getpid(), number)
            assert signals.number == number and not arrived
            os.kill(os.getpid(), number)
            assert arrived == [number]
        with StopSignals():
            pass
        os.kill(os.getpid(), number)
        assert arrived == [number, number]
    finally:
        signal.signal(number, before)
