"""Quality against two baselines: the notebook's recipe as it was, and a multi-label classifier on the same features.

    python -m benchmarks.quality --records_dir=DIR --backbone_weights=PATH [--runs=RUN_DIR,…]

The records must store their images (make_records does so by default): the notebook's features are made from them.
All are scored by the metrics of --mode=eval, with the same definitions and references, on one split. The baselines
train on the train split and stop by the validation split. --runs adds the numbers that --mode=eval left in run
folders. On Flickr8k and 2 cores: 6 minutes for the notebook's features (kept in --cache), then about 20 minutes a
seed for its training (--notebook_epochs shortens it), and 1 minute a seed for the classifier.
"""

import argparse
import json
import pathlib
import time

import numpy as np

from benchmarks import notebook_recipe, quality_data, tag_classifier
from records.text.tag_vocabulary import TagVocabulary
from records.text.vocabulary import Vocabulary
from records.util.progress import duration
from tagger.evaluation import metrics
from tagger.evaluation.predictions import frequent_tags, prediction

_COLUMNS = ("precision_at_5", "recall_at_5", "f1_at_5", "mean_average_precision", "tag_precision", "tag_recall",
            "tag_f1", "distinct_captions", "distinct_words")


def evaluate(images: quality_data.Images, captions: list[tuple[str, ...]], ranked: list[tuple[str, ...]],
             frequent: tuple[str, ...], frequent_scores: np.ndarray) -> dict[str, float]:
    """Every metric of --mode=eval for predictions made elsewhere; `captions` are tag sequences."""
    predicted = [prediction(key, caption, tags, (), references, image_tags, "tags", None)
                 for key, caption, tags, references, image_tags in zip(
                     images.keys, captions, ranked, images.captions, images.tags, strict=True)]
    return metrics.score(metrics.Predictions(predicted, frequent, frequent_scores)).values


def classifier(splits: dict[str, quality_data.Images], test: str, frequent: tuple[str, ...], seed: int) -> dict:
    """The classifier's metrics; its first five tags stand for the caption."""
    ranked, scores = tag_classifier.train_and_predict(
        splits["train"], splits["validation"], splits[test], frequent, seed)
    return evaluate(splits[test], [tags[:5] for tags in ranked], ranked, frequent, scores)


def notebook(splits: dict[str, quality_data.Images], features: dict[str, np.ndarray], test: str,
             frequent: tuple[str, ...], seed: int, epochs: int) -> dict:
    """The notebook's metrics: it ranks tags in the order that it writes them, and scores the others 0."""
    generated, _ = notebook_recipe.train_and_predict(
        *((features[name], splits[name]) for name in ("train", "validation", test)), seed, epochs)
    ranked = [tuple(dict.fromkeys(words)) for words in generated]
    scores = np.array([[1 / (1 + tags.index(tag)) if tag in tags else 0 for tag in frequent] for tags in ranked])
    return evaluate(splits[test], generated, ranked, frequent, scores)


def notebook_features(splits: dict[str, quality_data.Images], weights: str, cache: str) -> dict[str, np.ndarray]:
    """The notebook's features of each split, from `cache` where that file exists."""
    path = pathlib.Path(cache)
    if cache and path.exists():
        with np.load(path) as stored:
            features = {name: stored[name] for name in stored.files}
        if {name: len(array) for name, array in features.items()} != {n: len(s.keys) for n, s in splits.items()}:
            raise SystemExit(f"--cache={cache}: holds features of other records; delete it or name another file")
        return features
    if not all(all(split.encoded) for split in splits.values()):
        raise SystemExit("--records_dir: its examples hold no images, and the notebook's features are made from them; "
                         "make the records with --store_images, or leave the notebook out with --baselines=classifier")
    features = {name: notebook_recipe.features(split, weights) for name, split in splits.items()}
    if cache:
        np.savez(path, **features)  # type: ignore[arg-type]
    return features


def row(name: str, found: list[dict], seconds: float | None) -> str:
    """One line of the markdown table: mean over seeds, and the spread (standard deviation) of several."""
    cells = []
    for column in _COLUMNS:
        values = np.array([one[column] if one[column] is not None else np.nan for one in found], float)
        text = f"{values.mean():,.0f}" if column.startswith("distinct") else f"{values.mean():.3f}"
        cells.append(text + (f" ± {values.std(ddof=1):.2g}" if len(found) > 1 else ""))
    cells.append("–" if seconds is None else duration(seconds / len(found)))
    return "| " + " | ".join((name, *cells)) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records_dir", required=True)
    parser.add_argument("--split", default="validation", help="split to score")
    parser.add_argument("--baselines", default="classifier,notebook")
    parser.add_argument("--backbone_weights", default="imagenet", help="ResNet50 weights for the notebook's features")
    parser.add_argument("--cache", default="", help="npz file that keeps the notebook's features between runs")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--notebook_epochs", type=int, default=25)
    parser.add_argument("--runs", default="", help="run folders that --mode=eval has scored on the split")
    arguments = parser.parse_args()
    chosen, seeds = arguments.baselines.split(","), [int(seed) for seed in arguments.seeds.split(",")]
    names = dict.fromkeys(("train", "validation", arguments.split))
    splits = {name: quality_data.load(arguments.records_dir, name, "notebook" in chosen) for name in names}
    frequent = frequent_tags(Vocabulary.load(arguments.records_dir), TagVocabulary.load(arguments.records_dir))
    rows = []
    if "notebook" in chosen:
        features = notebook_features(splits, arguments.backbone_weights, arguments.cache)
        start = time.monotonic()
        found = [notebook(splits, features, arguments.split, frequent, seed, arguments.notebook_epochs)
                 for seed in seeds]
        rows.append(row("notebook's recipe", found, time.monotonic() - start))
    if "classifier" in chosen:
        start = time.monotonic()
        found = [classifier(splits, arguments.split, frequent, seed) for seed in seeds]
        rows.append(row("multi-label classifier", found, time.monotonic() - start))
    for folder in filter(None, arguments.runs.split(",")):
        path = pathlib.Path(folder) / f"eval-{arguments.split}" / "metrics.json"
        if not path.exists():
            raise SystemExit(f"--runs: {path} is missing; run --mode=eval --split={arguments.split} on {folder} first")
        rows.append(row(pathlib.Path(folder).name, [json.loads(path.read_text())], None))
    print(f"\n{len(splits[arguments.split].keys):,} images of {arguments.split}, {len(seeds)} seed(s)\n")
    print("| | " + " | ".join(column.replace("_", " ") for column in _COLUMNS) + " | time a seed |")
    print("|---" * (len(_COLUMNS) + 2) + "|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
