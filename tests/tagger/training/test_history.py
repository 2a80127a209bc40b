from tagger.training import history

ROWS = [history.Epoch(1, 5.123456789012345, 4.9, 0.001), history.Epoch(2, 4.5, 4.4, 0.001),
        history.Epoch(3, 4.25, 4.4, 0.0002)]
COSTS = [history.Throughput(1, 12.34567, 1000.0, 90.0, 70.0, 0.00412)]


def test_tables(tmp_path):
    history.write(tmp_path, ROWS, COSTS)
    assert history.read(tmp_path) == ROWS
    assert (tmp_path / "history.csv").read_text().splitlines()[:2] == [
        "epoch,loss,val_loss,learning_rate", "1,5.123456789012345,4.9,0.001"]
    assert (tmp_path / "throughput.csv").read_text().splitlines() == [
        "epoch,seconds,tokens_per_s,captions_per_s,step_ms,data_wait", "1,12.346,1000.0,90.0,70.0,0.004"]


def test_nothing_yet(tmp_path):
    assert history.read(tmp_path) == []


def test_first_of_equals_is_best():
    assert history.best(ROWS).epoch == 2


def test_scored_epochs_have_a_column_more_and_the_highest_is_best(tmp_path):
    rows = [history.Epoch(1, -0.4, 2.9, 1e-4, 45.5), history.Epoch(2, -0.5, 3.1, 1e-4, 47.25)]
    history.write(tmp_path, rows, [])
    assert (tmp_path / "history.csv").read_text().splitlines() == [
        "epoch,loss,val_loss,learning_rate,val_cider", "1,-0.4,2.9,0.0001,45.5", "2,-0.5,3.1,0.0001,47.25"]
    assert history.read(tmp_path) == rows
    assert history.best(rows).epoch == 2
