"""Evaluation of the demo's run: numbers that can be computed in other ways, files that say what was promised."""

import dataclasses
import io
import json
import math
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

import main
from flags.errors import UserError
from flags.eval import Eval
from records.format import manifest as manifest_lib
from records.input import caption_dataset
from records.text.tag_vocabulary import TagVocabulary
from records.text.tokenizer import words
from tagger import evaluate
from tagger.evaluation import files, metrics
from tagger.runs import run_dir
from tagger.training import history

CONTRACT = {"loss", "perplexity", "bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider", "tag_precision",
            "tag_recall", "tag_f1", "images", "beam_width", "precision_at_5", "recall_at_5", "f1_at_5",
            "mean_average_precision", "distinct_captions", "seen_in_training"}


class Scored:
    """One evaluation: its flags and its files."""

    def __init__(self, **flags):
        self.config = Eval(**flags)
        assert evaluate.run(self.config) == 0
        folder = files.folder_of(self.config.run_dir, self.config.split)
        self.metrics = json.loads((folder / "metrics.json").read_text())
        self.text = (folder / "predictions.jsonl").read_text()
        self.rows = [json.loads(line) for line in self.text.splitlines()]
        self.folder = folder


@pytest.fixture(scope="module")
def run_copy(demo, tmp_path_factory):
    """(records, a copy of the demo's run that tests may write into)."""
    folder = tmp_path_factory.mktemp("evaluate") / "run"
    shutil.copytree(demo[0] / "run", folder)
    return str(demo[0] / "records"), str(folder)


@pytest.fixture(scope="module")
def scored(run_copy):
    return Scored(records_dir=run_copy[0], run_dir=run_copy[1], split="validation", worst_and_best=2)


def test_the_loss_is_the_validation_loss_of_training(scored):
    expected = history.best(history.read(scored.config.run_dir)).val_loss
    assert scored.metrics["loss"] == pytest.approx(expected, rel=1e-6)
    assert scored.metrics["perplexity"] == pytest.approx(math.exp(expected), rel=1e-5)


def test_what_gives_more_photos_is_noted_for_the_report(scored):
    """The records of the demo hold out less than --split_fractions could."""
    assert scored.metrics["way_to_hold_out_more"].startswith("make_records --overwrite with --split_fractions=")


def test_which_epoch_was_the_best_is_noted(scored):
    rows = history.read(scored.config.run_dir)
    assert (scored.metrics["best_epoch"], scored.metrics["epochs"]) == (history.best(rows).epoch, len(rows))


def test_the_loss_is_that_of_the_published_keras_model_on_expanded_prefixes(run_copy, scored):
    limited = Scored(records_dir=run_copy[0], run_dir=run_copy[1], split="validation", limit=2, worst_and_best=0,
                     sheet_images=0)
    run = run_dir.load_run(run_copy[1])
    model = run.model.to_keras(run.max_length)
    features, prefixes, targets = [], [], []
    split = caption_dataset.open_split(run_copy[0], "validation")
    examples = list(caption_dataset.images(split).take(2).as_numpy_iterator())
    for example in examples:
        for caption in np.split(example["tokens"], np.flatnonzero(example["tokens"] == 1) + 1)[:-1]:
            for n in range(len(caption)):
                features.append(example["feature"].astype(np.float32))
                prefixes.append([*caption[:n], *[0] * (run.max_length - n)])
                targets.append(caption[n])
    probabilities = model.predict([np.array(features), np.array(prefixes)], verbose=0)
    losses = keras.losses.sparse_categorical_crossentropy(np.array(targets), probabilities).numpy()
    assert limited.metrics["tokens"] == len(targets)
    assert limited.metrics["loss"] == pytest.approx(losses.mean(), rel=1e-5)
    assert [row["image"] for row in limited.rows] == [example["key"].decode() for example in examples]
    assert [row["caption"] for row in limited.rows] == [row["caption"] for row in scored.rows[:2]]


def test_every_number_of_the_contract_is_there_and_finite(scored):
    assert CONTRACT <= scored.metrics.keys()
    assert all(math.isfinite(scored.metrics[name]) for name in CONTRACT)


def test_a_prediction_for_every_image_with_ranked_scored_tags(run_copy, scored):
    split = caption_dataset.open_split(run_copy[0], "validation")
    assert len(scored.rows) == scored.metrics["images"] == split.info.examples
    assert scored.metrics["captions"] == split.info.captions and scored.metrics["tokens"] == split.info.tokens
    for row in scored.rows:
        assert len(row["tags"]) == len(row["tag_scores"]) == 10
        assert row["tag_scores"] == sorted(row["tag_scores"], reverse=True)
        assert 0 < row["score"] <= 1 and len(row["references"]) == 5
        assert "<" not in row["caption"]


def test_metrics_can_be_recomputed_from_the_predictions_file(run_copy, scored):
    tags = TagVocabulary.load(run_copy[1])
    images = [metrics.Prediction(
        row["image"], tuple(row["caption"].split()), tuple(tuple(words(text)) for text in row["references"]),
        tags.names(row["caption"].split()), tuple(row["tags"]), tuple(map(tuple, row["reference_tags"])),
        tuple(row["tag_scores"]))
        for row in scored.rows]
    again = metrics.score(metrics.Predictions(images, (), np.zeros((len(images), 0))))
    for name in ("bleu_1", "bleu_4", "rouge_l", "cider", "tag_f1", "f1_at_5", "distinct_captions",
                 "tag_calibration_error"):
        assert again.values[name] == pytest.approx(scored.metrics[name]), name
    assert [row["cider"] for row in scored.rows] == pytest.approx(list(again.per_image["cider"]), rel=1e-5)


def test_the_batch_size_changes_nothing(run_copy, scored):
    again = Scored(records_dir=run_copy[0], run_dir=run_copy[1], split="validation", batch_size=1, worst_and_best=0,
                   sheet_images=0)
    assert [(row["image"], row["caption"], row["tags"]) for row in again.rows] == [
        (row["image"], row["caption"], row["tags"]) for row in scored.rows]
    assert again.metrics["loss"] == pytest.approx(scored.metrics["loss"], rel=1e-6)
    assert again.metrics["mean_average_precision"] == pytest.approx(scored.metrics["mean_average_precision"])


def test_a_run_averaged_with_itself_is_the_run(run_copy, scored):
    again = Scored(records_dir=run_copy[0], run_dir=run_copy[1], split="validation", ensemble=(run_copy[1],),
                   worst_and_best=0, sheet_images=0)
    assert [row["caption"] for row in again.rows] == [row["caption"] for row in scored.rows]
    assert again.metrics["loss"] == pytest.approx(scored.metrics["loss"], rel=1e-6)


def test_half_precision_says_what_it_changed_and_pictures_are_drawn(run_copy, scored, monkeypatch):
    monkeypatch.setattr(evaluate, "_COMPARED_PHOTOS", 3)
    half = Scored(records_dir=run_copy[0], run_dir=run_copy[1], split="validation", sheet_images=3, worst_and_best=2,
                  precision="mixed_bfloat16")
    assert half.metrics["precision"] == "mixed_bfloat16" and scored.metrics["precision"] == "float32"
    differ = [row["caption"] != exact["caption"] for row, exact in zip(half.rows, scored.rows, strict=True)]
    assert half.metrics["changed_captions"] == sum(differ[:3]) and half.metrics["compared_captions"] == 3
    assert half.metrics["loss"] != scored.metrics["loss"]
    assert half.metrics["loss"] == pytest.approx(scored.metrics["loss"], rel=0.01)
    for name in ("contact_sheet.png", "worst_and_best.png"):
        picture = Image.open(io.BytesIO((half.folder / name).read_bytes()))
        assert picture.width > 900 and picture.height > 300
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 1000  # photos, not blank paper
    Scored(records_dir=run_copy[0], run_dir=run_copy[1], split="validation", sheet_images=3, worst_and_best=0, limit=3)
    assert (scored.folder / "contact_sheet.png").exists() and not (scored.folder / "worst_and_best.png").exists()


def test_seen_in_training_finds_a_recited_caption(run_copy):
    train = caption_dataset.open_split(run_copy[0], "train")
    example = next(iter(caption_dataset.images(train).as_numpy_iterator()))
    recited = tuple(words(example["captions"][0].decode()))
    made_up = ("no", "such", "caption")
    predicted = [evaluate.Predicted(metrics.Prediction("x", said, (), (), (), ()), (), 0.5, (), np.zeros(0))
                 for said in (recited, made_up)]
    assert evaluate.recited(train, predicted, "captions") == {recited}


@pytest.mark.parametrize(("change", "named"), [
    (lambda m: dataclasses.replace(m, target="tags"),
     "were made anew since .*: their target is tags, the run's captions"),
    (lambda m: dataclasses.replace(m, backbone=None), "hold no features"),
    (lambda m: dataclasses.replace(m, backbone=dataclasses.replace(m.backbone, precision="bfloat16")),
     "backbone's precision is bfloat16, expected float32"),
    (lambda m: dataclasses.replace(m, files={**m.files, "vocabulary.txt": manifest_lib.FileInfo(1, "f" * 64)}),
     "were made anew since .*: their words .vocabulary.txt. are not those that it learnt; give the records that"),
])
def test_records_that_do_not_fit_the_run_are_refused_by_what_differs(run_copy, change, named):
    manifest = manifest_lib.load(run_copy[0])
    evaluate.check_match(manifest, manifest, *run_copy)
    with pytest.raises(UserError, match=named):
        evaluate.check_match(change(manifest), manifest, *run_copy)


@pytest.mark.parametrize(("flag", "named"), [
    ("--split=nosuch", "no split 'nosuch'"), ("--beam_width=0", "--beam_width=0"),
    ("--run_dir=tests", "has no config.json"), ("--weights=nosuch.h5", "no such weights file")])
def test_bad_input_is_one_line(run_copy, capsys, flag, named):
    given = {"--records_dir": run_copy[0], "--run_dir": run_copy[1], "--split": "validation"}
    name, _, value = flag.partition("=")
    assert main.main(["main.py", "--mode=eval", *(f"{k}={v}" for k, v in {**given, name: value}.items())]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and named in error


def test_several_folders_are_evaluated_one_by_one():
    with pytest.raises(UserError, match="--records_dir=a,b: eval takes one folder"):
        evaluate.run(Eval(records_dir="a,b", run_dir="runs/first", split="test"))
