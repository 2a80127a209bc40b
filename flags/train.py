"""Flags of --mode=train."""

import dataclasses

from flags.choices import BACKBONE_PRECISIONS
from flags.spec import Flags, flag


@dataclasses.dataclass(frozen=True)
class Train(Flags):
    """Trains the merge model; a run folder that exists is continued where it stopped."""

    records_dir: str = flag(help="Folder that make_records wrote, or several as A,B that have one vocabulary and one "
                                 "backbone; vocabulary and manifest are copied into the run, so that it can be scored "
                                 "and exported without them.", path=True)
    run_dir: str = flag(help="Folder for weights, checkpoints, history and plots. Give the same one again to continue "
                             "an interrupted run.", path=True)

    # What is learnt from, and for how long.
    train_split: str = flag("train", "Split whose captions are learnt.")
    validation_split: str = flag("validation", "Split whose loss picks the best epoch, stops the run and lowers the "
                                               "learning rate.")
    epochs: int = flag(25, "Passes over the train split at the most; a run that has made them all continues when "
                           "this is raised, if it has one stage and no cosine schedule.", at_least=1)
    batch_size: int = flag(0, "Captions in a step, over all devices and hosts together. More captions make a step more "
                              "efficient, but a run of as many epochs has fewer steps. 0: a 32nd of the captions that "
                              "are learnt, rounded to a power of two, from 8 to 64; config.json says what it was.",
                           at_least=0)
    accumulate_steps: int = flag(1, "Steps whose gradients are averaged (over tokens) before one update, for batches "
                                    "larger than the memory of the device.", at_least=1)
    seed: int = flag(0, "Decides initial weights, shuffling and dropout; compare several to know the spread.",
                     at_least=0)
    vocabulary_size: int = flag(0, "Keep only this many of the most frequent entries of the records' vocabulary, the "
                                   "three special ones included, to try a smaller softmax without making records "
                                   "again; 0 keeps all.", at_least=0)
    init_from: str = flag("", "Run folder with the same vocabulary and backbone whose best weights are the start, to "
                              "continue with other settings or another objective.", path=True)

    # The objective and its optimizer: Adam, as published.
    learning_rate: float = flag(1e-3, "Adam's step size, before plateaus and schedule lower it.", at_least=0)
    schedule: str = flag("constant", "cosine lowers the learning rate to zero along half a cosine over all epochs, "
                                     "which needs no plateau to be found but fixes the length of the run.",
                         choices=("constant", "cosine"))
    warmup_steps: int = flag(0, "Updates over which the learning rate rises from 0; steadies large batches.",
                             at_least=0)
    dropout: float = flag(0.5, "Share of units dropped after the LSTM and before the softmax, in steps of 1/256; "
                               "less for large sets, 0 to look for errors.", at_least=0, below=1)
    feature_dropout: float = flag(0.0, "Share of the image feature's numbers dropped, in the self-critical stage too: "
                                       "against learning the train photos by heart where they are few.",
                                       at_least=0, below=1)
    embedding_dropout: float = flag(0.0, "Share of each word embedding's numbers dropped, likewise for the captions.",
                                    at_least=0, below=1)
    label_smoothing: float = flag(0.0, "Share of each target's probability spread evenly over the vocabulary, against "
                                       "overconfidence. The reported loss then includes it for train, not for "
                                       "validation.", at_least=0, below=1)
    clip_norm: float = flag(0.0, "Scale gradients down to this global norm where they exceed it, against single bad "
                                 "batches; 0 never clips.", at_least=0)
    weight_decay: float = flag(0.0, "Share of each matrix (not bias) that is taken off per update, times the learning "
                                    "rate (AdamW); a regulariser; 0 is off.", at_least=0)
    ema: float = flag(0.0, "Decay, such as 0.999, of a running average of the weights which is then what is validated "
                           "and kept as best; smooths out the last steps; 0 is off.", at_least=0, below=1)

    tag_weight: float = flag(0.0, "Weight of learning which tags a caption of the photo has, as a second answer of the "
                                  "same network. It then ranks tags, with a regression on the features, solved when "
                                  "training ends; 0 ranks them by the captions that it would write. At 1 captions "
                                  "suffer; 0.5 is a start.", at_least=0)

    teachers: int = flag(0, "Models like this one, of other seeds, that are trained before it, in RUN_DIR/teacher_1 "
                            "and so on: it then learns their mean answer beside the captions. Each costs a training, "
                            "and helps where photos are few.", at_least=0)
    teacher_weight: float = flag(0.5, "Share of every target that is the teachers' answer; the rest is the caption's. "
                                      "The reported loss then includes it for train, not for validation.",
                                      at_least=0, at_most=1)

    # A second stage that learns from its own captions.
    self_critical_epochs: int = flag(0, "Passes over the photos of the train split, after the epochs above, in which "
                                        "captions that the model samples are made more or less probable by their "
                                        "CIDEr-D: the self-critical stage. What comes before is then a run of its own "
                                        "in RUN_DIR/cross_entropy; --init_from takes its place. --batch_size is photos "
                                        "here.", at_least=0)
    self_critical_learning_rate: float = flag(5e-5, "Adam's step size in the self-critical stage; 2e-4 was too large "
                                                    "on Flickr8k.",
                                              at_least=0)
    self_critical_temperature: float = flag(0.5, "Divides the captions' logits before the self-critical stage. A model "
                                                 "of cross-entropy spreads its samples so widely that rewards would "
                                                 "first make them alike, for all photos; 0.5 starts where captions are "
                                                 "told apart. 1 starts from the model as it is.", above=0)
    self_critical_samples: int = flag(5, "Captions sampled per photo and step of the self-critical stage; each is "
                                              "compared with the others.",
                                      at_least=2)
    supervised_weight: float = flag(0.0, "Weight, in the self-critical stage, of the cross-entropy of a reference "
                                         "caption per photo beside the reward (points / 100): keeps captions close to "
                                         "people's.",
                                         at_least=0)
    self_critical_tag_weight: float = flag(0.1, "What --tag_weight is in the self-critical stage, beside the reward; "
                                                "without --tag_weight there is none.", at_least=0)

    # A stage in which the backbone learns too, from the photos in the records.
    train_backbone: str = flag("", "First layer of the backbone that learns, such as conv4_block1 of resnet50, or the "
                                   "beginning of its name; all for every layer. After --epochs on the records' "
                                   "features, a run of its own in RUN_DIR/cross_entropy (--init_from takes its "
                                   "place), the photos go through backbone and merge model together: the pixel "
                                   "stage. Batch "
                                   "normalisations stay as they are. Empty or none: only the merge model learns.")
    pixel_epochs: int = flag(6, "Passes over the photos of the train split in the pixel stage.", at_least=1)
    pixel_patience: int = flag(0, "Epochs without a better validation loss after which the pixel stage ends; 0: as "
                                  "--patience says. A backbone soon learns few photos by heart. Large steps put that "
                                  "off, and with a --schedule=cosine over many --pixel_epochs they stay large; 1 then "
                                  "ends the stage at the first epoch that is no better.", at_least=0)
    pixel_batch_size: int = flag(32, "Photos in a step of the pixel stage, each with all its captions.", at_least=1)
    pixel_learning_rate: float = flag(2e-4, "Adam's step size for the merge model in the pixel stage.", above=0)
    backbone_learning_rate: float = flag(5e-5, "Adam's step size for the backbone in the pixel stage: it has much to "
                                               "lose.", at_least=0)
    pixel_tag_weight: float = flag(0.0, "Weight, in the pixel stage, of telling a photo's tags straight from its "
                                        "feature, by a layer that only that stage has: the shortest way from tags to "
                                        "the backbone.", at_least=0)
    trained_feature_epochs: int = flag(0, "Passes over the captions after the pixel stage, in which a new merge model "
                                          "learns as in --epochs, from features of the trained backbone. Views show "
                                          "less than captions say, which leaves the model of the pixel stage less sure "
                                          "of its words. 0 goes on with that model.", at_least=0)
    backbone_weights: str = flag("", "Weights that the backbone starts from in the pixel stage; needed where the file "
                                     "that the records were made with has moved since.", path=True)
    backbone_precision: str = flag("auto", "Arithmetic of the backbone in the pixel stage; its weights stay float32. "
                                           "auto is that of --precision. bfloat16 pays on a CPU with AVX512-BF16 or "
                                           "AMX, where the merge model may well stay in float32.",
                                           choices=("auto", *BACKBONE_PRECISIONS))
    view_size: int = flag(0, "Side in pixels of the views that the pixel stage learns from. Less than the backbone's "
                             "own is less work, by its square, and makes up for crops, which show things larger than "
                             "whole photos do; validation and features keep the backbone's size. 0 is that size.",
                             at_least=0)
    smallest_crop: float = flag(0.5, "Views of a photo in the pixel stage, another in every epoch, show at least this "
                                     "share of its area; 1 always shows all of it.", above=0, at_most=1)
    mirror: bool = flag(True, "Mirror half of the views of the pixel stage, but for photos whose captions say left or "
                              "right.")
    brightness: float = flag(0.0, "Make views of the pixel stage brighter or darker by up to this share.",
                                  at_least=0, below=1)
    saturation: float = flag(0.0, "Make views of the pixel stage paler or more colourful by up to this share.",
                                  at_least=0, at_most=1)

    # What ends or slows the run: the published callbacks.
    monitor: str = flag("val_loss", "What the best epoch, patience and plateaus go by. val_cider writes captions for "
                                    "the validation split after every epoch and scores them; the self-critical stage "
                                    "always does.", choices=("val_loss", "val_cider"))
    patience: int = flag(5, "Epochs without a better validation loss after which the run stops; its best weights are "
                            "the result. 0 never stops early.", at_least=0)
    plateau_patience: int = flag(3, "Epochs without a better validation loss after which the learning rate is "
                                    "multiplied by --plateau_factor; 0 never does.", at_least=0)
    plateau_factor: float = flag(0.2, "What the learning rate is multiplied by on a plateau.", at_least=0, below=1)
    min_learning_rate: float = flag(1e-8, "Plateaus lower the learning rate no further than this.", at_least=0)
    callbacks: tuple[str, ...] = flag((), "Keras callbacks of your own, as module:Class,…: made without arguments, "
                                          "called like in Keras fit; their module may be in the current folder. "
                                          "Their logs hold loss after a batch; loss, val_loss, learning_rate and, if "
                                          "monitored, val_cider after an epoch. Numbers, strings and booleans among "
                                          "their attributes are kept in checkpoints.")

    # The machine.
    devices: str = flag("auto", "auto: every GPU of this host, else the CPU. gpu:0,1 picks GPUs; cpu:2 splits the CPU "
                                "into two logical devices, to test what several would do. Several hosts: set "
                                "TF_CONFIG on each.")
    precision: str = flag("auto", "What matrices are multiplied in; weights, loss and what the optimizer keeps are "
                                  "float32 always. auto: bfloat16 or float16 where the GPU is fast at it, with logits "
                                  "in float32; float32 on a CPU. mixed_bfloat16 on a CPU takes 0.74 of the time "
                                  "where it has AVX512-BF16 or AMX, logits included.",
                          choices=("auto", "float32", "mixed_float16", "mixed_bfloat16"))
    xla: bool = flag(False, "Compile the step with XLA. Saves kernel launches on a GPU, but pads, and compiles "
                            "anew for every length of caption, 19 s each on the one busy GPU host that tried it; "
                            "slower on most CPUs.")
    deterministic: bool = flag(False, "Use only deterministic kernels, so that runs of the same command are equal to "
                                      "the last bit. May cost speed on a GPU.")
    bucket_batches: int = flag(16, "Batches whose captions are sorted by length together, where a set is held in "
                                   "memory: little padding and short recurrences. 1 shuffles freely, for steps that "
                                   "are a fairer sample of the captions and cost more.", at_least=1)
    ram_budget_mb: int = flag(1024, "Memory for cached examples and shuffling. Sets that fit are read from disk once; "
                                    "larger ones stream.", at_least=0)
    pipeline_threads: int = flag(0, "Threads that read and parse records; 0 lets the pipeline choose.", at_least=0)

    # Being interrupted.
    checkpoint_every_steps: int = flag(0, "Checkpoint after so many steps; 0 goes by time alone.", at_least=0)
    checkpoint_every_minutes: float = flag(10.0, "Checkpoint after so many minutes: the work that a power cut can "
                                                 "cost. 0 goes by steps alone. Every epoch ends with one too.",
                                                 at_least=0)
    keep_checkpoints: int = flag(2, "Newest checkpoints kept; the one before the last is the spare when the last "
                                    "turns out damaged.", at_least=1)
    fresh: bool = flag(False, "Delete what an earlier run left in --run_dir and start over.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train_backbone == "none":  # as other flags call it
            object.__setattr__(self, "train_backbone", "")


# Flags that may differ when a run is continued: they change where and how fast, not what is computed.
# Of --epochs and the like tagger.training.same_run.epochs_flag tells.
RESUMABLE = frozenset({
    "run_dir", "records_dir", "devices", "xla", "pipeline_threads", "init_from", "backbone_weights",
    "checkpoint_every_steps", "checkpoint_every_minutes", "keep_checkpoints", "fresh"})

# Flags that shape a stage of their own and no other: where a run does without that stage they may be anything.
OF_PIXELS = frozenset({
    "pixel_epochs", "pixel_patience", "pixel_batch_size", "pixel_learning_rate", "backbone_learning_rate",
    "pixel_tag_weight", "trained_feature_epochs", "backbone_precision", "view_size", "smallest_crop", "mirror",
    "brightness", "saturation"})
OF_SELF_CRITICAL = frozenset({
    "self_critical_learning_rate", "self_critical_temperature", "self_critical_samples", "supervised_weight",
    "self_critical_tag_weight"})
