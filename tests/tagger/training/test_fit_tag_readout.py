import numpy as np
import pytest

from flags.errors import UserError
from flags.train import Train
from records.format import manifest as manifests
from records.input.shard_reader import open_split
from records.text.vocabulary import SPECIALS, Vocabulary
from tagger.runs import run_dir
from tagger.training.fit_tag_readout import fit
from tests.records import folders

WORDS, SIZE = 8, 16


def untrained(folder, monkeypatch, letter="t"):
    """A run whose network knows nothing, and its splits: a photo of word w has a 1 at place w of its noisy feature."""
    random = np.random.default_rng(0)
    words = {name: random.integers(len(SPECIALS), WORDS, photos).tolist()
             for name, photos in (("train", 60), ("validation", 20))}
    rows = iter([word for split in words.values() for word in split])
    monkeypatch.setattr(folders, "feature", lambda *_: (
        (np.arange(SIZE) == next(rows)) + random.normal(0, 0.2, SIZE)).astype("<f2"))
    records = folders.write(folder / "records", {name: [[[[word], [word]] for word in split]]
                                                 for name, split in words.items()}, SIZE, WORDS)
    names = [f"{letter}{i}" for i in range(len(SPECIALS), WORDS)]
    vocabulary = Vocabulary((*SPECIALS, *names), (0, 0, 0, *[5] * 5), (0, 0, 0, *[3] * 5))
    config, manifest = Train(records_dir=str(records), run_dir=str(folder / "run")), manifests.load(records)
    run_dir.save_description(config, manifest, vocabulary, None)
    run_dir.save_weights(run_dir.new_model(config, manifest, vocabulary), 5, folder / "run" / run_dir.WEIGHTS_FILE)
    return str(folder / "run"), open_split(records, "train"), open_split(records, "validation")


def test_tags_that_the_network_does_not_know_are_read_from_the_features(tmp_path, monkeypatch):
    folder, train, validation = untrained(tmp_path, monkeypatch)
    assert run_dir.load_run(folder).model.tag_readout is None
    assert fit(folder, train, validation).network_share == pytest.approx(1 / 3)
    run = run_dir.load_run(folder)
    photos = np.eye(SIZE)[len(SPECIALS):WORDS]
    scores = run.model.tag_scores(photos, run.tag_outputs).numpy()
    assert [run.tag_outputs.names[row.argmax()] for row in scores] == [f"t{i}" for i in range(len(SPECIALS), WORDS)]
    assert run_dir.load_run(folder, str(tmp_path / "run" / run_dir.WEIGHTS_FILE)).model.tag_readout is None

    path = tmp_path / "run" / run_dir.READOUT_FILE
    data = path.read_bytes()
    fit(folder, train, validation)
    assert path.read_bytes() == data
    path.write_bytes(data[:-100])
    with pytest.raises(UserError, match="tag_readout.h5: is damaged .*delete it, and the same train command"):
        run_dir.load_run(folder)
    path.write_bytes(data)
    config = tmp_path / "run" / run_dir.CONFIG_FILE
    config.write_text(config.read_text().replace('"run_id": "', '"run_id": "0'))
    (tmp_path / "run" / run_dir.WEIGHTS_FILE).unlink()
    run_dir.save_weights(run.model, 5, tmp_path / "run" / run_dir.WEIGHTS_FILE)
    with pytest.raises(UserError, match="tag_readout.h5: is of run"):
        run_dir.load_run(folder)


def test_where_no_photo_has_a_tag_of_the_run_there_is_none(tmp_path, monkeypatch):
    folder, train, validation = untrained(tmp_path, monkeypatch, letter="w")
    assert fit(folder, train, validation) is None
    assert not (tmp_path / "run" / run_dir.READOUT_FILE).exists()
