"""Flags of --mode=eval."""

import dataclasses

from flags.choices import BLOCK_REPEATS, MAX_BEAM_WIDTH, PRECISIONS
from flags.spec import Flags, flag


@dataclasses.dataclass(frozen=True)
class Eval(Flags):
    """Scores a trained model on one split and writes RUN_DIR/eval-SPLIT/."""

    records_dir: str = flag(help="Folder that make_records wrote: the one the run was trained on, or another with "
                                 "the same vocabulary and backbone, so that numbers mean the same thing.", path=True)
    run_dir: str = flag(help="Folder that train wrote: holds the weights to score, and receives the results.",
                        path=True)
    split: str = flag("test", "Split to score. Choose settings by validation; look at test once, at the end.")
    weights: str = flag("best", "Which weights of the run to score: best (by validation loss, what export takes), "
                                "or a weights file, to compare checkpoints of one run.", path=True)
    ensemble: tuple[str, ...] = flag((), "Further run folders whose predictions are averaged with the run's own, to "
                                         "see what an export of several runs would gain. Same records needed.",
                                         path=True)
    beam_width: int = flag(3, "Captions kept at every step of the search. 1 is greedy and fastest; more than 3 "
                              "rarely scores better.", at_least=1, at_most=MAX_BEAM_WIDTH)
    length_penalty: float = flag(0.7, "Exponent of the caption's length by which its log probability is divided: "
                                      "0 prefers short captions, 1 long ones.")
    max_length: int = flag(0, "Longest caption in words; 0 takes the longest of the training captions.", at_least=0)
    block_repeats: str = flag("content_words", "Words that may not come again in a caption, as in export. none shows "
                              "what the model says by itself.",
                              choices=BLOCK_REPEATS)
    tag_samples: int = flag(4, "Captions sampled per photo to score its tags, beside the beams. More is steadier "
                               "and slower; 0 leaves the beams alone. The default is that of export. Not used where "
                               "train was given --tag_weight.", at_least=0)
    batch_size: int = flag(128, "Photos decoded at once, captions per step of the loss. Changes speed and memory, "
                                "not results. That of a flag file that describes a training is not taken.",
                           at_least=1, as_in_train=False)
    precision: str = flag("float32", "Arithmetic of the model, whatever it was trained in. mixed_bfloat16 multiplies "
                                     "in bfloat16 and scores in float32, as an export with it does, and says how many "
                                     "captions that changes: of the first thousand photos, which are captioned in "
                                     "float32 too.", choices=PRECISIONS, as_in_train=False)
    limit: int = flag(0, "Score only the first N photos of the split, for a quick look; 0 scores all. The loss too "
                         "is then that of their captions.", at_least=0)
    train_captions: bool = flag(True, "Read the train split too, to count predictions that recite one of its captions. "
                                      "Turn off where reading all of it takes too long.")
    top_tags: int = flag(10, "Tags listed per photo in predictions.jsonl, best first.", at_least=1)
    sheet_images: int = flag(24, "Photos on contact_sheet.png, evenly spaced through the split; 0 draws no sheet.",
                             at_least=0)
    worst_and_best: int = flag(8, "Photos with the highest and with the lowest CIDEr (tag F1 for --target=tags) that "
                                  "worst_and_best.png shows, so many of each; 0 draws none, as where all score the "
                                  "same. To learn what to mend.",
                                  at_least=0)
