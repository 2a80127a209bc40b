import pytest

from flags.train import Train
from tests.tagger.training.run import write_records


@pytest.fixture(scope="session")
def task_config(tmp_path_factory):
    """Flags of tasks on the tests' records."""
    folder = tmp_path_factory.mktemp("tasks")
    return Train(records_dir=str(write_records(folder / "records")), run_dir=str(folder / "run"), batch_size=62,
                 epochs=7, label_smoothing=0.1, tag_weight=0.5, self_critical_epochs=2, vocabulary_size=50)
