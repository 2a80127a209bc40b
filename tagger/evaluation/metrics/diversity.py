"""Diversity: whether captions differ between photos, and are more than recited training captions."""

from tagger.evaluation.metrics.predictions import Predictions, Scores


def diversity_scores(predictions: Predictions) -> Scores:
    """distinct_captions, distinct_share, distinct_words, captions_without_words and seen_in_training.

    distinct_captions counts the different captions predicted; distinct_share is that number per image, 0…1.
    distinct_words counts the different words in them; captions_without_words the captions that have none.
    seen_in_training is the share, 0…1, of images whose caption is, word for word, some caption of the train
    split; None when the train captions are unknown.
    """
    captions = [image.words for image in predictions.images]
    distinct = len(set(captions))
    seen = None
    if predictions.train_captions is not None:
        seen = sum(caption in predictions.train_captions for caption in captions) / len(captions)
    return Scores({"distinct_captions": distinct, "distinct_share": distinct / len(captions),
                   "distinct_words": len({word for caption in captions for word in caption}),
                   "captions_without_words": sum(not caption for caption in captions),
                   "seen_in_training": seen}, {})
