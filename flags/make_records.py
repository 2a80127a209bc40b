"""Flags of --mode=make_records."""

import dataclasses

from flags.choices import BACKBONE_PRECISIONS, FEATURE_VIEWS
from flags.spec import Flags, flag


@dataclasses.dataclass(frozen=True)
class MakeRecords(Flags):
    """Photos and a table of captions to a folder of TFRecord shards."""

    images: str = flag(
        default="",
        help="Folder with the photos; names in the caption table are paths under it, and nothing outside it is read, "
        "unless --follow_links is given. Required unless --captions brings its own photos (tfds:, webdataset:, "
        "parquet:).", path=True)
    follow_links: bool = flag(
        False, "Take photos that are links out of --images, as in snapshots of Hugging Face's hub. Without it they are "
        "left out and listed: what a folder holds then says all that is read.")
    captions: str = flag(
        "", "The table that says which photo has which caption: a Flickr token file, CSV, JSON lines, COCO or "
        "Karpathy JSON, tfds:NAME for a dataset of TensorFlow Datasets, webdataset:PATH/{00000..00099}.tar or "
        "parquet:FILES with photos inside; sidecar for texts beside the photos (dog.txt beside dog.jpg), folders where "
        "a photo's folder is its tag. Several tables are read as one: give the flag several times, or separate them by "
        "commas, or write a pattern such as 'parts/*.csv'. Required, but for --records.",
        path=True, repeatable=True)
    records: str = flag(
        "", "Records folder to make these from, in place of --images and --captions: its examples with new features, "
        "computed from the photos stored in it by its own kind of backbone with --backbone_weights, or by another "
        "--backbone. Splits, words and tags stay as they are.", path=True)
    records_dir: str = flag(
        help="Folder for the shards and their manifest, local or gs://; made when it does not exist. The same command "
        "continues there after an interruption.", path=True)
    captions_format: str = flag(
        "auto", "Format of --captions, for a table that is not recognised by its content.",
        choices=("auto", "flickr", "descriptions", "csv", "jsonl", "json", "coco", "karpathy", "tfds",
                 "webdataset", "parquet", "sidecar", "folders"))
    target: str = flag(
        "auto", "What the model will learn to write: whole captions, or tags alone (shorter to train, and enough where "
        "tags are all that is wanted). auto: tags where every row of the train split is keywords, else captions.",
        choices=("auto", "captions", "tags"))
    tag_forms: str = flag(
        "merged", "What the tags are. merged: keywords as they are, upper and lower case alike; of captions the nouns, "
        "verbs and adjectives, those that say nothing alone left out, and the forms of a word (dog, dogs) as one tag. "
        "as_written: every form its own tag. published: every noun, verb and adjective, \"is\" included, as in the "
        "notebook that the project started from, and keywords too split into words.",
        choices=("merged", "as_written", "published"))
    split_lists: str = flag(
        "", "Files that list the photos of each split, as train=FILE,validation=FILE: to compare with published "
        "results on an official split. Rows of photos in no list are left out and listed.")
    split_fractions: str = flag(
        "", "Shares of the photos, as train=0.85,validation=0.15, where there is no official split. A photo's split "
        "depends on its name and --seed only, so adding photos moves none. Default: the table's own splits, else "
        "train=0.8,validation=0.1,test=0.1.")
    backbone: str = flag(
        "resnet50", "Network whose pooled output becomes each photo's feature. Any classification network of "
        "keras.applications by its name (mobilenet_v2 converts faster, efficientnet_v2_s and convnext_tiny know more), "
        "or module:function for your own, see docs/data.md; none writes records without features, for another "
        "program's use.")
    backbone_weights: str = flag(
        "", "Weights of the backbone: imagenet lets Keras download them, a path reads a .weights.h5 file (your own "
        "fine-tuned network, or a machine without internet); with --records, a run folder gives the backbone that was "
        "trained there. Default: imagenet, or for module:function what the function sets.", path=True)
    backbone_precision: str = flag(
        "float32", "Arithmetic of the backbone. bfloat16 is about twice as fast on CPUs that have it and moves "
        "features by about 1.3 %; train, eval and export must then see features made the same way.",
        choices=BACKBONE_PRECISIONS)
    feature_views: str = flag(
        "one", "Views of a photo whose features are averaged: the photo alone; flip, with its mirror image (twice the "
        "time); crops, with the centre of both too (four times). Steadier features, here and in the exported model.",
        choices=FEATURE_VIEWS)
    image_size: int = flag(
        0, "Side in pixels of the square that a network of keras.applications sees a photo as, here and in the "
        "exported model. 288 where 224 is usual describes photos a little better, in 1.7 times the time, most of all "
        "with a backbone that learnt from crops, which show things larger than whole photos do. 0: what the network's "
        "weights were published for.", at_least=0, at_most=2048)
    shards: str = flag(
        "", "Number of shards per split, as train=16,validation=2, where readers want a certain number (one per "
        "host, for one). Default: as many as give shards of about 150 MB.")
    name: str = flag(
        "", "Dataset name, the first part of every shard's file name. Default: the last part of --records_dir.")
    vocabulary: str = flag(
        "", "Records folder whose words and tags these records shall have, instead of those that occur here: for "
        "records that train takes as one, --records_dir=A,B.", path=True)
    min_count: int = flag(
        1, "Words seen less often than this in the train split become <unk>: rare words cost parameters and cannot "
        "be learned. 5 is customary for captions.", at_least=1)
    max_words: int = flag(
        0, "Keep only this many of the most frequent words, to bound the model's size; 0 keeps all.", at_least=0)
    max_words_per_caption: int = flag(
        100, "Captions with more words are left out and listed: one very long caption makes every batch it is in as "
        "long as itself.", at_least=1)
    store_images: bool = flag(
        True, "Keep the encoded photos in the records. Without them the folder is 4 (photos of 224 pixels) to 30 times "
        "(500) smaller, and training on features is the same, but contact sheets have no photos, and --train_backbone "
        "and --records cannot be used.")
    store_size: int = flag(
        0, "Shrink photos with a longer short side to this, as JPEG of quality 95, before they are stored and features "
        "are computed: 256 makes photos of 500 pixels a third as large and as fast to decode, for training from pixels "
        "and for large sets. 0 stores them as they are.", at_least=0)
    seed: int = flag(
        0, "Seed of the split by fractions and of the order of examples; the same inputs, flags and seed give the "
        "same bytes.", at_least=0)
    workers: int = flag(
        0, "Processes that check photos and write shards; 0: one per CPU. The records do not depend on it.", at_least=0)
    max_rejected: str | None = flag(
        None, "Stop before anything is written when more rows than this cannot be used, as 5% or a number. Default: "
        "any number of bad photos and captions is left out and listed, but a row whose photo does not exist stops "
        "the run, as that is most often a wrong --images. Repeated rows, rows outside --split_lists and names in it "
        "that have no row do not count.")
    overwrite: bool = flag(
        False, "Make the records anew where --records_dir holds records, finished or not, of other inputs or flags.")
    runner: str = flag(
        "local", "Who makes the records: this machine, or a cluster by Apache Beam (pip install with the extra "
        "[beam]): Dataflow, Flink, Spark or Dask, where one machine is too slow. The bytes are the same; --captions, "
        "--images and --records_dir are then on storage that all machines share.", choices=("local", "beam"))
    beam_args: str = flag(
        "", "Pipeline options for --runner=beam, separated by spaces, as --beam_args='--runner=DataflowRunner "
        "--project=P --temp_location=gs://B/tmp'. Default: Beam's DirectRunner on this machine.")
