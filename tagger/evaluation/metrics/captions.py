"""BLEU-1…4, ROUGE-L and CIDEr-D of captions, by pycocoevalcap's pure-Python scorers.

The values are in points, as papers print them: pycocoevalcap's numbers times 100 (BLEU and ROUGE-L 0…100,
CIDEr-D 0…1000). Both sides are tokenised by `records.text.tokenizer.words`, because pycocoevalcap's own tokeniser
needs Java; it also drops punctuation, so the values can be compared with those in papers.
CIDEr-D takes its document frequencies from the evaluated references, as the standard does: values of splits
of different size cannot be compared, and a split of one image scores 0.

Sources: Papineni et al. 2002 (BLEU), Lin 2004 (ROUGE-L), Vedantam et al. 2015 (CIDEr), Chen et al. 2015 (the
COCO evaluation code that pycocoevalcap ports).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from tagger.evaluation.metrics.predictions import Predictions, Scores

_POINTS = 100.0


def caption_scores(predictions: Predictions) -> Scores:
    """bleu_1…bleu_4, rouge_l and cider; per image: bleu_4, rouge_l and cider, NaN where it has no reference.

    `images_without_reference` counts the images without a reference; where no image has one, all values are None.

    The corpus BLEU pools n-gram counts over all images; it is not the mean of the per-image values.
    """
    references = {i: [" ".join(words) for words in p.references] for i, p in enumerate(predictions.images)}
    captions = {i: [" ".join(p.words)] for i, p in enumerate(predictions.images)}
    # Lists of no tags are no reference: their photos are left out, and counted.
    with_reference = [i for i, image in enumerate(predictions.images) if any(image.references)]
    references = {i: [text for text in references[i] if text] for i in with_reference}
    captions = {i: captions[i] for i in with_reference}
    left_out = len(predictions.images) - len(with_reference)
    if not with_reference:
        none = np.full(len(predictions.images), np.nan)
        return Scores(dict.fromkeys((*(f"bleu_{n + 1}" for n in range(4)), "rouge_l", "cider"))
                      | {"images_without_reference": left_out}, {"bleu_4": none, "rouge_l": none, "cider": none})
    bleu, bleu_per_image = Bleu(4).compute_score(references, captions, verbose=0)
    rouge, rouge_per_image = Rouge().compute_score(references, captions)
    of_all, cider_per_image = cider([captions[i][0].split() for i in with_reference],
                                    [[text.split() for text in references[i]] for i in with_reference])
    values: dict[str, Any] = {f"bleu_{n + 1}": _POINTS * float(bleu[n]) for n in range(4)}
    values |= {"rouge_l": _POINTS * float(rouge), "cider": of_all, "images_without_reference": left_out}
    per_image = {}
    for name, scores in (("bleu_4", _POINTS * np.asarray(bleu_per_image[3])), ("rouge_l", _POINTS * rouge_per_image),
                         ("cider", cider_per_image)):
        per_image[name] = np.full(len(predictions.images), np.nan)
        per_image[name][with_reference] = scores
    return Scores(values, per_image)


def cider(captions: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> tuple[float, np.ndarray]:
    """CIDEr-D in points, over all images and float64 [images] of each.

    Args:
      captions: the words predicted for each image. references: each image's reference captions as words.
    """
    predicted = {i: [" ".join(words)] for i, words in enumerate(captions)}
    expected = {i: [" ".join(words) for words in captions] for i, captions in enumerate(references)}
    of_all, per_image = Cider().compute_score(expected, predicted)
    return _POINTS * float(of_all), _POINTS * np.asarray(per_image, np.float64)
