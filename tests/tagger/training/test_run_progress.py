import json

from tagger.training import history
from tagger.training.run_progress import RunProgress


def test_state_goes_through_json():
    progress = RunProgress(epoch=1, step=3, epochs=[history.Epoch(1, 2.0, 3.0, 1e-3, 40.5)])
    progress.add_throughput(history.Throughput(1, 2.0, 3.0, 4.0, 5.0, 0.5))
    again = RunProgress()
    again.set_state(json.loads(json.dumps(progress.get_state())))
    assert again.resumed and again.place == (1, 3)
    assert again.epochs == progress.epochs and again.throughput == progress.throughput


def test_an_epoch_that_was_measured_again_is_listed_once():
    progress = RunProgress()
    measured = ((1, 5.0), (2, 6.0), (2, 1.0))
    costs = [history.Throughput(epoch, seconds, 1.0, 1.0, 1.0, 0.0) for epoch, seconds in measured]
    for cost in costs:
        progress.add_throughput(cost)
    assert progress.throughput == [costs[0], costs[2]]
