"""--mode=export: a run and its backbone as the next version of a SavedModel, checked before it appears."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import tensorflow as tf
from etils import epath

from flags.errors import UserError
from flags.export import Export
from records.backbones.frozen_encoder import FrozenEncoder
from records.backbones.registry import load_backbone, recorded_weights
from records.format import backbone_identity
from records.format.manifest import BackboneInfo
from records.images.decoding import decode_batch
from records.util.atomic_files import write_atomic
from records.util.counted import counted
from records.util.folders import new_folder
from records.util.progress import Progress
from tagger.decoding.changed_captions import ChangedCaptions, captions
from tagger.decoding.decoder import Decoder, decoder_of
from tagger.runs.ensemble import calibrations, load_ensemble, outcome, threshold, threshold_for
from tagger.runs.run_dir import Run
from tagger.runs.validation_photos import validation_photos
from tagger.saved_model import arithmetic, backbone_info, warmup_requests
from tagger.saved_model.model_card import FEW_PHOTOS, Facts, readme
from tagger.saved_model.signatures import CHUNK, ServingModel
from tagger.saved_model.versions import next_version

_PHOTOS = pathlib.Path(__file__).parent / "demo_data" / "images"
_CHECKED_PHOTOS = 12
_COMPARED_PHOTOS = 500  # a minute of ResNet50 in both precisions on two CPUs
_SCORE_TOLERANCE = 1e-3  # the two programs round differently; a tag's score may move by so much
_LOW_SCORE = 0.1  # below it even the tenth tag of a photo is mostly answered
_PRECISIONS = (0.8, 0.5, 0.3)  # as --tag_precision, to advise
_PATTERN = frozenset("[\\")


def run(config: Export) -> int:
    """Writes EXPORT_DIR/N and EXPORT_DIR/README.md.

    Raises:
      UserError: the run or its backbone cannot be read, or --export_dir cannot be written or served from.
    """
    if _PATTERN & set(config.export_dir):
        raise UserError(f"--export_dir={config.export_dir}: TensorFlow takes [ and \\ in a path for a pattern, and "
                        "could not load the model from there; give a folder without them")
    with new_folder(config.export_dir, "export_dir") as folder:
        return _export(config, folder)


def _export(config: Export, folder: epath.Path) -> int:
    runs, backbone, decoder = networks(config, config.precision)
    min_score = min_score_of(config, runs)
    model = ServingModel(backbone, decoder, config.export_precision)
    if (photos := _calibration_photos(runs)) is not None and photos < FEW_PHOTOS:
        print(f"Tag scores were calibrated on {counted(photos, 'validation photo')}: below {FEW_PHOTOS}, they are a "
              "rough guess of how often a tag is right.")
    if line := chosen_score(config, min_score, runs):
        print(line)
    print(f"Writing the next version to {folder} …", flush=True)
    with next_version(folder) as (unfinished, publish):
        tf.saved_model.save(model, str(unfinished),
                            signatures=model.signatures(config.beam_width, config.length_penalty, min_score))
        backbone_info.write(unfinished, _backbone_info(runs[0]))
        arithmetic.write(unfinished, config.precision)
        warmup_requests.write(unfinished, _warmup_requests(backbone.feature_size))
        print("Loading it in a fresh process on the CPU, with the same photos as here …", flush=True)
        model.weights.write_back()
        answers = check(config, min_score, backbone, decoder, unfinished)
        changed = "" if config.precision == "float32" else changed_captions(config, runs[0], backbone, decoder)
        version = publish()
    facts = _facts(config, min_score, runs, backbone, decoder, changed, version)
    write_atomic(folder / "README.md", readme(facts, answers[0]))
    if changed:
        print(f"In {config.precision}, {changed}.")
    valid = sum(answer["valid"] for answer in answers)
    print(f"Checked: the same captions and scores for {counted(valid, 'photo')}, one broken photo answered as not "
          f"valid.\nWrote {folder / str(version)}; {folder / 'README.md'} tells how to ask it.")
    return 0


def networks(config: Export, precision: str) -> tuple[list[Run], FrozenEncoder, Decoder]:
    """The runs, their backbone and what writes captions with them, in one of `flags.choices.PRECISIONS`.

    Raises:
      UserError: a run or its backbone cannot be read.
    """
    runs = load_ensemble(config.run_dir, config.weights, config.ensemble, precision)
    return runs, backbone_of(config, runs[0], precision), decoder_of(runs, config)


def changed_captions(config: Export, run: Run, backbone: FrozenEncoder, decoder: Decoder) -> str:
    """How many captions are not those of an export in float32, of validation photos, in words."""
    try:
        photos = validation_photos(config.run_dir, run, _COMPARED_PHOTOS)
    except UserError as error:  # of no consequence for the export
        return f"captions were not compared with float32's ({error})"
    total = len(photos.images or photos.features)
    if not total:
        return f"captions were not compared with float32's: no records of the run are left at {run.config.records_dir}"
    print(f"Captioning {counted(total, 'validation photo')} in both precisions …", flush=True)
    _, exact_backbone, exact_decoder = networks(config, "float32")
    features: tuple[list[tf.Tensor], list[tf.Tensor]] = [], []
    with Progress("compare", total, "photos", warms_up=True) as progress:
        for start in range(0, total, CHUNK):
            if images := photos.images[start:start + CHUNK]:
                pixels, _ = decode_batch(tf.constant(images), backbone.image_size)
                batch = backbone(pixels), exact_backbone(pixels)
            else:
                batch = (tf.stack(photos.features[start:start + CHUNK]),) * 2
            for of_precision, part in zip(features, batch, strict=True):
                of_precision.append(part)
            progress.add(len(batch[0]))
    changed = ChangedCaptions.between(*(
        captions(writer, batches, config.beam_width, config.length_penalty)
        for writer, batches in zip((decoder, exact_decoder), features, strict=True)))
    return f"{changed} on validation photos" + (
        "" if photos.images else ", by their stored features alone, as the records hold no photos")


def min_score_of(config: Export, runs: list[Run]) -> float:
    """The score that a tag must reach to be answered.

    Raises:
      UserError: --tag_precision beside --min_score, of runs without a calibration, or more than any score reached.
    """
    if config.tag_precision is None:
        return (threshold(runs) or 0.0) if config.min_score is None else config.min_score
    if config.min_score is not None:
        raise UserError("--tag_precision and --min_score: both say from which score on tags are answered; give one")
    of_runs = calibrations(runs)
    if not of_runs:
        raise UserError(f"--tag_precision={config.tag_precision:g}: --run_dir={config.run_dir} has no calibrated "
                        "scores of tags (records without tags.txt, no photo of the validation split with a tag, or "
                        "--weights); give --min_score")
    least = threshold_for(runs, config.tag_precision)
    if least is None:
        most = max(row[1] for calibration in of_runs for row in calibration.thresholds if row[2])
        raise UserError(f"--tag_precision={config.tag_precision:g}: no score had that many right tags on the "
                        f"validation split, the most was {most:.2f}; give less")
    return least


def chosen_score(config: Export, min_score: float, runs: list[Run]) -> str:
    """What is answered from which score on, and what that gave on the validation split; "" without a calibration."""
    if not calibrations(runs):
        return ""
    precision, recall = outcome(runs, min_score)
    default = config.tag_precision is None and config.min_score is None
    reason = "the best F1" if default else f"--tag_precision={config.tag_precision:g}" if config.tag_precision else (
        "--min_score")
    line = (f"Tags are answered from a score of {min_score:.2f} on ({reason}), at most {config.top_tags} a photo: on "
            f"the validation split {precision:.0%} of such tags were right, and they were {recall:.0%} of all that "
            "are.")
    if default and min_score < _LOW_SCORE:
        line += f" So low a score gives nearly every photo {config.top_tags} tags"
        surer = ((share, threshold_for(runs, share)) for share in _PRECISIONS)
        line += next((f"; --tag_precision={share:g} would give fewer and surer ones, from {least:.2f} on."
                      for share, least in surer if least is not None and least > min_score), ".")
    return line


def _backbone_info(run: Run) -> BackboneInfo:
    info = run.manifest.backbone
    if info is None:
        raise UserError("the run's manifest names no backbone, so there is nothing to turn photos into features; "
                        "train on records made with a backbone")
    return info


def backbone_of(config: Export, run: Run, precision: str = "float32") -> FrozenEncoder:
    """The network that made the features of the run's records, with the weights that it had then.

    In float32 its arithmetic is what it was then, in mixed_bfloat16 it is bfloat16.

    Raises:
      UserError: the records have no features, or the weights are gone or others.
    """
    info = _backbone_info(run)
    given = recorded_weights(config.backbone_weights, info.weights)
    if precision == "mixed_bfloat16":
        info = dataclasses.replace(info, precision="bfloat16")
    backbone = load_backbone(info.name, given, info.precision, str(run.manifest.flags.get("feature_views", "one")),
                             info.image_size, "" if precision == "float32" else f"--precision={precision}")
    backbone_identity.check_same(backbone.info, info, f"--backbone_weights={given}", f"--run_dir={config.run_dir}",
                                 "give the file that make_records used, and its versions of Keras and of the network")
    return backbone


def check(config: Export, min_score: float, backbone: FrozenEncoder, decoder: Decoder, saved_model: epath.Path
          ) -> list[dict[str, Any]]:
    """Compares the SavedModel, loaded by another process without GPUs, with the networks in memory.

    Args:
      backbone, decoder: what was exported, in the values that were stored.

    Returns:
      the SavedModel's answers about real photos and one broken image.

    Raises:
      RuntimeError: they differ, or the fresh process failed. That is an error of the program, not of its user.
    """
    photos = sorted(_PHOTOS.glob("*.jpg"))[:_CHECKED_PHOTOS] + [pathlib.Path(__file__)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3",
                   "PYTHONPATH": os.pathsep.join(filter(None, [str(pathlib.Path(__file__).parents[1]),
                                                               os.environ.get("PYTHONPATH")]))}
    fresh = subprocess.run([sys.executable, "-m", "tagger.saved_model.loaded", str(saved_model), *map(str, photos)],
                           env=environment, capture_output=True, text=True)
    if fresh.returncode:
        raise RuntimeError(f"{saved_model} cannot be loaded in a fresh process:\n{fresh.stderr[-4000:]}")
    served = [json.loads(line) for line in fresh.stdout.splitlines() if line.startswith("{")]
    with tf.device("/CPU:0"):
        pixels, valid = decode_batch(tf.constant([photo.read_bytes() for photo in photos]), backbone.image_size)
        features = backbone(pixels)
        decoded = tf.function(decoder.decode, autograph=False)(
            features, config.beam_width, config.length_penalty, min_score=min_score)
    for row, (photo, answer) in enumerate(zip(photos, served, strict=True)):
        expected: dict[str, Any] = {"caption": "", "tags": [], "valid": bool(valid[row])}
        if expected["valid"]:
            caption = decoder.text(decoded.tokens[row:row + 1])[0].numpy().decode()
            scores = zip(decoded.tags[row].numpy(), decoded.tag_scores[row].numpy(), strict=True)
            expected |= {"caption": caption, "tags": [[tag.decode(), float(score)] for tag, score in scores if tag]}
        if not _same(expected, answer, min_score):
            raise RuntimeError(f"{saved_model}: answers {answer} about {photo.name}, the model in memory {expected}")
    return served


def _same(expected: dict[str, Any], answer: dict[str, Any], min_score: float) -> bool:
    first, second = ([score for _, score in row["tags"]] for row in (expected, answer))
    # A score on the edge may round to either side of it.
    for shorter, longer in ((first, second), (second, first)):
        shorter += [min_score] * (len(longer) - len(shorter))
    return (expected["caption"], expected["valid"]) == (answer["caption"], answer["valid"]) \
        and np.allclose(first, second, rtol=0, atol=_SCORE_TOLERANCE)


def _warmup_requests(feature_size: int) -> list[bytes]:
    """One request per plain signature. Its photo is a drawing, so that no photographer's rights travel along."""
    height, width = 375, 500
    ramp = np.add.outer(np.arange(height), np.arange(width)) % 256
    image = tf.io.encode_jpeg(np.stack([ramp, ramp[::-1], 255 - ramp], axis=-1).astype(np.uint8))
    return [warmup_requests.prediction_log("serving_default", {"image_bytes": tf.stack([image])}),
            warmup_requests.prediction_log("features", {"features": tf.zeros([1, feature_size])})]


def _calibration_photos(runs: list[Run]) -> int | None:
    """Photos that the tag scores were calibrated on, the fewest of the runs; None where that is not known."""
    numbers = [calibration.photos for calibration in calibrations(runs) if calibration.photos is not None]
    return min(numbers, default=None)


def _facts(config: Export, min_score: float, runs: list[Run], backbone: FrozenEncoder, decoder: Decoder, changed: str,
           version: int) -> Facts:
    return Facts(
        version=version, created_with=f"TensorFlow {tf.__version__}", target=runs[0].manifest.target,
        ensemble=len(runs), backbone=backbone.info.name, preprocessing=backbone.info.preprocessing,
        image_size=backbone.image_size, feature_size=backbone.feature_size, vocabulary_size=runs[0].vocabulary.size,
        top_tags=config.top_tags, min_score=min_score, calibrated=bool(calibrations(runs)),
        calibration_photos=_calibration_photos(runs),
        tag_prompt=all(run.model.tag_prompt for run in runs), tag_samples=config.tag_samples,
        beam_width=config.beam_width, length_penalty=config.length_penalty, max_length=decoder.max_length,
        block_repeats=config.block_repeats, stored_as=config.export_precision, precision=config.precision,
        changed_captions=changed)
