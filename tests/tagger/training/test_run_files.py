from tagger.training import history
from tagger.training.run_files import HistoryFiles, LossPlot
from tagger.training.run_progress import RunProgress
from tests.tagger.training.reporters import begin, epoch


def test_files(tmp_path):
    progress = RunProgress()
    callbacks = begin([HistoryFiles(run_dir=tmp_path, progress=progress),
                       LossPlot(run_dir=tmp_path, progress=progress)], progress)
    assert not list(tmp_path.iterdir())
    epoch(callbacks, progress, 3.0)
    assert history.read(tmp_path) == progress.epochs
    assert (tmp_path / "throughput.csv").read_text().splitlines()[1] == "1,2.0,4000.0,400.0,25.0,0.01"
    assert (tmp_path / "loss.png").stat().st_size > 5000
    (tmp_path / "history.csv").unlink()
    progress.resumed = True
    begin([HistoryFiles(run_dir=tmp_path, progress=progress)], progress)
    assert history.read(tmp_path) == progress.epochs
