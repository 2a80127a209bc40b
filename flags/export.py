"""Flags of --mode=export."""

import dataclasses

from flags.choices import BLOCK_REPEATS, MAX_BEAM_WIDTH, PRECISIONS
from flags.spec import Flags, flag


@dataclasses.dataclass(frozen=True)
class Export(Flags):
    """Writes the next version of a SavedModel that takes image bytes and answers captions and tags."""

    run_dir: str = flag(help="Folder that train wrote: the model to export.", path=True)
    export_dir: str = flag(help="Folder for the SavedModel's versions 1, 2, …: the next free number is written, which "
                                "is what TensorFlow Serving watches for and switches to.", path=True)
    weights: str = flag("best", "Which weights of the run to export: best (by validation loss), or a weights file.",
                        path=True)
    ensemble: tuple[str, ...] = flag((), "Further run folders, trained on the same records, whose word probabilities "
                                         "are averaged with the run's own: better captions, slower by as many runs.",
                                         path=True)
    backbone_weights: str = flag("", "imagenet or a weights file of the backbone. By default what make_records was "
                                     "given; name it when that file is elsewhere now. Its hash must be the recorded "
                                     "one, or served features would not be those trained on.", path=True)
    export_precision: str = flag("float32", "How weights are stored. float16 halves the files and the download; they "
                                            "are widened to float32 when the model is loaded, so speed and memory "
                                            "stay the same, and answers change about as much as by a rounding.",
                                 choices=("float32", "float16"))
    precision: str = flag("float32", "Arithmetic of the exported model. mixed_bfloat16 multiplies in bfloat16, the "
                                     "backbone too, and scores in float32: faster on CPUs with AVX512-BF16 or AMX, "
                                     "right but slower on others. How many captions that changes is counted on up to "
                                     "500 validation photos. With float32 the backbone computes in what "
                                     "--backbone_precision of make_records was.", choices=PRECISIONS,
                          as_in_train=False)
    beam_width: int = flag(3, "Default number of captions kept at every step of the search; 1 is greedy and fastest. "
                              "A request may ask for another.", at_least=1, at_most=MAX_BEAM_WIDTH)
    length_penalty: float = flag(0.7, "Default exponent of the caption's length by which its log probability is "
                                      "divided: 0 prefers short captions, 1 long ones. A request may ask for another.")
    max_length: int = flag(0, "Words of the longest caption that may ever be written; 0 takes the longest of the "
                              "training captions. A request may ask for less, not for more.", at_least=0, at_most=1000)
    block_repeats: str = flag("content_words", "Words that may not occur twice in a caption. none: all may. adjacent: "
                                               "no word follows itself. content_words: nor does a noun, verb or "
                                               "adjective come again, and another word only after one of them. all: "
                                               "every word once.",
                              choices=BLOCK_REPEATS)
    top_tags: int = flag(10, "n: tags answered for every photo at most, best first. A request may ask for fewer.",
                         at_least=1, at_most=1000)
    min_score: float | None = flag(None, "Score that a tag must reach to be answered; a request may ask for another. "
                                         "Default: the one with the best F1 on the validation split, which train "
                                         "chose; 0 answers --top_tags always.", at_least=0, at_most=1)
    tag_precision: float | None = flag(None, "Instead of --min_score: the lowest score from which on this share of "
                                             "the tags was right on the validation split, as 0.8 for a library where "
                                             "wrong tags cost more than missing ones.", above=0, below=1)
    tag_samples: int = flag(4, "Sampled captions per photo, beside the beams, that tag scores average over. More "
                               "is steadier and slower; 0 uses the beams alone. Not used where train was given "
                               "--tag_weight.", at_least=0, at_most=1000)
