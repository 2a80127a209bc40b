"""--mode=eval: how good a run is on one split, in numbers, in predictions and in pictures.

Writes into RUN_DIR/eval-SPLIT/:

  predictions.jsonl      per image: image, caption, tags (best first), tag_scores, score, references,
                         reference_tags, and the image's own cider, bleu_4, rouge_l, tag_f1 and f1_at_5
  contact_sheet.png      photos with predictions and references
  reliability.png        how many of the tags with a score are right
  worst_and_best.png     the same of the photos where the captions fit least and most
  metrics.json           every number, with `definitions`; written last
"""

import json
import math
import os
import sys
import time

import numpy as np
import tensorflow as tf

from flags import eval as eval_flags
from flags.errors import UserError
from records.backbones.registry import slow_precision
from records.format import backbone_identity, joined
from records.format import manifest as manifest_lib
from records.format.held_out import way_to_hold_out_more
from records.format.layout import TAGS, VOCABULARY
from records.input import caption_dataset
from records.text.tag_vocabulary import TagVocabulary
from records.text.tokenizer import words
from records.text.vocabulary import Vocabulary
from records.util.atomic_files import write_atomic
from records.util.counted import counted
from records.util.hashing import file_sha256
from records.util.progress import duration
from tagger.decoding.changed_captions import ChangedCaptions, captions
from tagger.decoding.decoder import decoder_of
from tagger.evaluation import contact_sheets, files, metrics
from tagger.evaluation import summary as eval_summary
from tagger.evaluation.predictions import Predicted, frequent_tags, predict_split, reference_tags, tag_words
from tagger.evaluation.reliability_plot import plot_reliability
from tagger.evaluation.teacher_forced_loss import split_loss
from tagger.runs import trained_features
from tagger.runs.ensemble import load_ensemble, threshold
from tagger.runs.run_dir import WEIGHTS_FILE
from tagger.training import history

_COMPARED_PHOTOS = 1000


def run(config: eval_flags.Eval) -> int:
    """Evaluates, writes and prints a table.

    Raises:
      UserError: the folders are not what they should be or do not belong together, or a flag is out of range.
    """
    start = time.monotonic()
    if len(joined.folders(config.records_dir)) > 1:
        raise UserError(f"--records_dir={config.records_dir}: eval takes one folder, as photos are told apart by their "
                        "names; evaluate on one after the other")
    photos = caption_dataset.open_split(config.records_dir, config.split, flag="split")
    runs = load_ensemble(config.run_dir, config.weights, config.ensemble, config.precision)
    if warning := slow_precision(config.precision, f"--precision={config.precision}"):
        print(warning, file=sys.stderr)
    split = caption_dataset.open_split(trained_features.records_for(config.run_dir, config.records_dir), config.split)
    check_match(split.manifest, runs[0].manifest, config.records_dir, config.run_dir)
    models, vocabulary, target = [run.model for run in runs], runs[0].vocabulary, split.manifest.target
    decoder = decoder_of(runs, config)
    tags = TagVocabulary.load(config.records_dir)
    frequent = frequent_tags(Vocabulary.load(config.records_dir), tags)
    predicted = list(predict_split(decoder, split, vocabulary, tags, frequent, config.batch_size, config.beam_width,
                                   config.length_penalty, config.limit))
    changed = None
    if config.precision != "float32":
        changed = changed_captions(config, split, [row.text for row in predicted[:_COMPARED_PHOTOS]])
    loss, tokens = split_loss(models, split, config.batch_size,
                              {row.prediction.image for row in predicted} if config.limit else None)
    train_captions = None
    if config.train_captions:
        train_split = caption_dataset.open_split(config.records_dir, runs[0].config.train_split)
        train_captions = recited(train_split, predicted, tags)
    scores = metrics.score(metrics.Predictions(
        [row.prediction for row in predicted], frequent,
        np.stack([row.frequent_tag_scores for row in predicted]), threshold(runs), train_captions))

    folder = files.folder_of(config.run_dir, config.split)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / files.METRICS).unlink(missing_ok=True)  # numbers are never beside another evaluation's predictions
    own_scores = [{name: float(array[i]) for name, array in scores.per_image.items()} for i in range(len(predicted))]
    write_atomic(folder / files.PREDICTIONS, "".join(map(_line, predicted, own_scores)))
    ranking = "tag_f1" if target == "tags" else "cider"
    written = contact_sheets.draw(folder, photos, predicted, ranking, scores.per_image[ranking], config.sheet_images,
                               config.worst_and_best)
    reliability = folder / files.RELIABILITY
    reliability.unlink(missing_ok=True)
    if scores.values["tag_reliability"]:
        plot_reliability(reliability, scores.values["tag_reliability"], scores.values["tag_calibration_error"])
        written.append(reliability)
    values = {
        "loss": loss, "perplexity": math.exp(loss), **scores.values,
        "images": len(predicted), "captions": sum(len(row.captions) for row in predicted), "tokens": tokens,
        "split": config.split, "target": target, "beam_width": config.beam_width,
        "length_penalty": config.length_penalty, "max_length": decoder.max_length,
        "block_repeats": config.block_repeats, "tag_samples": config.tag_samples, "weights": config.weights,
        "ensemble": list(config.ensemble),
        "way_to_hold_out_more": way_to_hold_out_more(photos.manifest.flags, [config.split]),
        **_weights(config), **_epochs(config.run_dir), "records_dir": str(config.records_dir), "limit": config.limit,
        "ranking": ranking,
        "precision": config.precision,
        **({"changed_captions": changed.changed, "compared_captions": changed.photos} if changed else {}),
        "seconds": round(time.monotonic() - start, 2), "created_with": {"tensorflow": tf.__version__},
        "definitions": eval_summary.definitions(target)}
    write_atomic(folder / files.METRICS, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    print(eval_summary.summary(values, config.run_dir))
    for path in (*written, folder / files.PREDICTIONS, folder / files.METRICS):
        print(f"  {path}")
    print(f"  ({counted(values['images'], 'photo')} in {duration(time.monotonic() - start)})", flush=True)
    return 0


def _weights(config: eval_flags.Eval) -> dict[str, str]:
    """The hash of the best weights, by which the report knows evaluations of weights that have been replaced since."""
    if config.weights != "best":
        return {}
    return {"weights_sha256": file_sha256(os.path.join(config.run_dir, WEIGHTS_FILE))}


def _epochs(run_dir: str) -> dict[str, int]:
    """best_epoch and epochs of the run; nothing where it has no history, or one of rewards in place of losses."""
    rows = history.read(run_dir)
    if not rows or rows[-1].reward is not None:
        return {}
    return {"best_epoch": history.best(rows).epoch, "epochs": len(rows)}


def changed_captions(config: eval_flags.Eval, split: caption_dataset.Split, answers: list[str]) -> ChangedCaptions:
    """How many of the answers about the split's first photos are not those of float32."""
    exact = decoder_of(load_ensemble(config.run_dir, config.weights, config.ensemble), config)
    with caption_dataset.reading_errors(split.records_dir):
        features = caption_dataset.images(split, read_image=False).map(lambda example: example["feature"])
        batches = features.take(len(answers)).batch(config.batch_size)
        return ChangedCaptions.between(answers, captions(exact, batches, config.beam_width, config.length_penalty))


def check_match(records: manifest_lib.Manifest, trained_on: manifest_lib.Manifest, records_dir: str,
                run_dir: str) -> None:
    """Checks that word ids, tag ids and features mean the same in `records` as in the records of the run.

    Raises:
      UserError: target, vocabulary or backbone differ; the message names what does.
    """
    remedy = ("give the records that the run was trained on, or make records that hold the same train captions and "
              "use the same backbone")
    backbone_identity.check_same(records.backbone, trained_on.backbone, f"--records_dir={records_dir}",
                                 f"--run_dir={run_dir}", remedy)
    differences = [
        f"their {meaning} ({file}) are not those that it learnt"
        for file, meaning in ((VOCABULARY, "words"), (TAGS, "tags"))
        if records.files.get(file) != trained_on.files.get(file)]
    if records.target != trained_on.target:
        differences.insert(0, f"their target is {records.target}, the run's {trained_on.target}")
    if differences:
        raise UserError(f"--records_dir={records_dir} does not fit --run_dir={run_dir}: they are other records, or "
                        f"were made anew since the run was trained on them: {differences[0]}; {remedy}")


def recited(train_split: caption_dataset.Split, predicted: list[Predicted], tags: TagVocabulary | None
            ) -> frozenset[tuple[str, ...]]:
    """The predictions that are, word for word, a caption (for tags: a tag sequence) of the train split."""
    answers, recited_answers = {row.prediction.words for row in predicted}, set[tuple[str, ...]]()
    with caption_dataset.reading_errors(train_split.records_dir):
        for example in caption_dataset.images(train_split, read_image=False).as_numpy_iterator():
            if train_split.manifest.target == "tags":
                sequences = list(map(tag_words, reference_tags(example, tags)))
            else:
                sequences = [tuple(words(text.decode())) for text in example["captions"]]
            recited_answers.update(answers.intersection(sequences))
    return frozenset(recited_answers)


def _line(predicted: Predicted, own_scores: dict[str, float]) -> str:
    """One line of predictions.jsonl."""
    prediction = predicted.prediction
    row = {
        "image": prediction.image, "caption": predicted.text, "score": _short(predicted.score),
        "tags": list(prediction.ranked_tags), "tag_scores": list(map(_short, prediction.tag_scores)),
        "references": list(predicted.captions), "reference_tags": [list(tags) for tags in prediction.reference_tags],
        **{name: _short(value) for name, value in own_scores.items()}}
    return json.dumps(row, ensure_ascii=False) + "\n"


def _short(value: float) -> float | None:
    """Six significant digits: as much as float32 promises. What is not defined is NaN in arrays and null in files."""
    return None if math.isnan(value) else float(f"{value:.6g}")
