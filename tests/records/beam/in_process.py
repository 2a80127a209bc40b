"""A runner of pipelines in this process, without Apache Beam, that does all that a cluster may do to values.

They are pickled, come in any order, and now and then twice, as from a worker that was taken for dead.
"""

import pickle
import random
from collections import defaultdict

from flags.errors import UserError
from records.runners.beam_pipeline import StepFailed


def run(beam_args, tasks, steps, failures, watch=None):
    """Like records.runners.beam_pipeline.run."""
    choose = random.Random(11)
    elements, said = list(tasks), list[str]()
    for number, step in enumerate(pickle.loads(pickle.dumps(list(steps)))):
        given = []
        for element in pickle.loads(pickle.dumps(elements)):
            try:
                given += step(*element) if number else step(element)
            except UserError as error:
                said.append(str(error))
        given += choose.sample(given, len(given) // 5)
        choose.shuffle(given)
        groups = defaultdict(list)
        for key, value in given:
            assert type(key) is int and -2**63 <= key < 2**63  # what every runner takes as a key
            groups[key].append(value)
        elements = list(groups.items())
    assert not elements, "the last step gives out nothing"
    if said:
        raise StepFailed(min(said))
    if watch:
        assert 0 <= watch.done() <= watch.total


def install(monkeypatch) -> None:
    """Has --runner=beam run here."""
    monkeypatch.setattr("records.runners.beam_pipeline.run", run)
    monkeypatch.setattr("records.runners.beam_pipeline.check", lambda beam_args: None)
