"""The words that the modes print, explained for those who meet them for the first time: `tagger --glossary`."""

import textwrap

TERMS = {
    "photo": "The picture. Flags, columns of tables and fields of files call it image.",
    "example": "A photo with its captions as the records store it, with its feature and its tags too.",
    "split": "A part of the examples with a purpose: train is learnt from, validation picks the best epoch, test is "
             "looked at once, at the end.",
    "shard": "One of the files that a split is cut into, so that several processes or machines can read it at once.",
    "reader partition": "Some shards of a split that is too large for memory: one host reads them, for rows of their "
                        "own in every batch. Hosts share the partitions evenly.",
    "feature": "The numbers, 2,048 for ResNet50, that the pretrained network (the backbone) makes of a photo.",
    "vocabulary": "The words that the model can write. Rarer ones (--min_count) are <unk>, unknown, to it.",
    "<unk>": "A word that is not in the vocabulary. Above 10 % of the words, lower --min_count; "
             "with --min_count=1 they occur in held-out captions alone.",
    "target words": "The words of the captions, which the model learns to write one after the other.",
    "token": "A word of a caption, or the <end> that closes it. tokens/s counts how many are trained on in a second.",
    "waiting": "Share of the time in which the training waited for data instead of computing. A few per cent are fine.",
    "step": "One update of the weights, from --batch_size captions. An epoch is all steps over the train split once.",
    "dropout": "Units that a step leaves out at random, so that the model does not learn single photos by heart.",
    "learning rate": "How far a step moves the weights. It is lowered when the validation loss no longer falls.",
    "plateau": "--plateau_patience epochs in which the validation loss did not fall.",
    "best weights": "Those after the epoch with the lowest validation loss (or highest val_cider): what eval and "
                    "export use.",
    "loss": "How surprised the model is by the true next word, on average (cross-entropy): lower is better, and "
            "val_loss, on the validation split, is the one that counts.",
    "nats": "The unit of the loss, whose logarithm is the natural one: 0.69 is one bit.",
    "teacher-forced": "Each next word is predicted after the true words before it, not after the model's own: how the "
                      "loss is computed.",
    "perplexity": "exp(loss): among how many words, equally likely, the model would still be choosing.",
    "checkpoint": "All that a training needs to go on where it was interrupted.",
    "replica": "One device's copy of the model; the batch is divided among all of them.",
    "beam": "Captions are written by keeping the --beam_width likeliest beginnings at every word.",
    "length penalty": "How far longer captions are favoured when the beam's captions are compared: 0 not at all, 1 "
                      "compares the probability per word.",
    "BLEU-1 … BLEU-4": "Share, in per cent, of the runs of 1 to 4 words that also occur in a caption by a person.",
    "ROUGE-L": "Agreement, in per cent, of the longest common sequence of words.",
    "CIDEr-D": "Agreement with the captions by people, in which rare words count more. It is computed over the whole "
               "split, and a split of few photos makes it meaningless.",
    "precision, recall, F1": "Share of the tags given that are right; share of the right ones given; and their "
                             "harmonic mean. A tag of the caption, or at threshold, is right where any caption of the "
                             "photo has it, as on contact_sheet.png; at 5 where two have it.",
    "pooled": "Counted over all photos together before dividing, so that a photo with more tags counts for more.",
    "at 5, at threshold": "Of the five likeliest tags of a photo, of which those are right that two of its captions "
                          "have (or its only one); of the tags whose probability reached the best F1 on the "
                          "validation split, of which those are right that any caption has.",
    "calibrated": "Of scores of tags: made into probabilities, so that of the tags with 70 % about 70 % are right.",
    "reliability": "How often tags with a certain score are right, as reliability.png draws it: on the diagonal, "
                   "scores can be believed.",
    "calibration error": "How far the probabilities of tags are, on average, from the share that turned out right. It "
                         "is near 0 also for a model that gives every photo the same tags: no sign of quality.",
    "Brier skill score": "How much nearer to the truth the probabilities of tags are than each tag's frequency: 0 is "
                         "no better than the same answer for every photo, less is worse, 1 is perfect. Flickr8k's "
                         "6,000 train photos give some 0.4.",
    "mean avg. precision (mAP)": "How well the ranking of photos by a tag's score separates those that have the tag "
                                 "from those that have not, averaged over tags: 1 is perfect. A random "
                                 "ranking has the share of photos with the tag, and more where photos are few (of 3 "
                                 "with 1 that has it, 0.61); below a hundred photos eval says how much.",
    "reference": "A caption, or list of tags, that a person gave to a photo; what the model writes is compared with "
                 "it.",
    "words used": "How many different words the captions that were written hold.",
    "distinct": "How many different captions were written: few mean that the model says the same of every photo.",
    "seen in training": "Share of the captions that are, word for word, a caption of the train split.",
}


def text(width: int = 100) -> str:
    """The whole glossary, wrapped to `width` columns."""
    return "\n".join(textwrap.fill(f"{term}: {meaning}", width, subsequent_indent="    ")
                     for term, meaning in TERMS.items())
