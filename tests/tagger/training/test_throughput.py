import pytest

from tagger.training.running_sums import Sums
from tagger.training.throughput import Meter


def test_rates_count_from_the_start_to_the_last_look():
    meter = Meter()
    meter.start(Sums(10.0, 100, 100, 10, -1), step=5)
    assert meter.cost(1) is None
    assert meter.note() == "loss 0.1000"
    with meter.waiting():
        pass
    meter.look(Sums(40.0, 200, 200, 30, -1), step=7)
    cost = meter.cost(3)
    assert cost.epoch == 3
    assert cost.tokens_per_s * cost.seconds == pytest.approx(100)
    assert cost.captions_per_s * cost.seconds == pytest.approx(20)
    assert cost.step_ms == pytest.approx(cost.seconds / 2 * 1e3)
    assert 0 <= cost.data_wait <= 1
    assert meter.note().startswith("loss 0.2000, ") and meter.note().endswith(" waiting")
    assert set(meter.scalars()) == {"loss", "tokens_per_s", "captions_per_s", "step_ms", "data_wait"}
