"""Flags of --mode=tag."""

import dataclasses

from flags.choices import PRECISIONS, SHEET_PHOTOS
from flags.spec import Flags, flag, positional


@dataclasses.dataclass(frozen=True)
class Tag(Flags):
    """Captions and tags photos with an exported SavedModel."""

    export_dir: str = flag(help="Folder that export wrote (its newest version is used), or one version in it.",
                           path=True)
    precision: str = flag("any", "Which of --export_dir's versions answers: the newest that was exported with this "
                                 "--precision; any: the newest of all.", choices=("any", *PRECISIONS),
                          as_in_train=False)
    batch_size: int = flag(32, "Photos read and answered at once. Fewer need less memory. That of a flag file that "
                               "describes a training is not taken.", at_least=1, as_in_train=False)
    json: bool = flag(False, "Print one JSON object per photo and line, for programs: image, caption, tags (each with "
                             "its score), or image and error.")
    sheet: str = flag("", f"PNG to draw the first {SHEET_PHOTOS} photos into, with what was said about them: to show "
                          "to others.", path=True)
    images: str = flag("", "With --output, instead of IMAGE: a folder (searched through), a pattern such as "
                           "'holiday/**/*.jpg', a list (a file with one path a line) or a records folder, of any "
                           "number of photos. Of records the stored features are used where the export's backbone "
                           "made them.", path=True)
    output: str = flag("", "Folder for the answers about --images, in files of one row a photo: image, caption, tags "
                           "and scores, or image and error. The same command continues an interrupted one.", path=True)
    output_format: str = flag("jsonl", "jsonl: JSON lines. parquet needs the extra of that name.",
                              choices=("jsonl", "parquet"))
    shard_size: int = flag(4096, "Photos in each file of --output, and at most so many are answered again after an "
                                 "interruption. Of records, a file holds the photos of one of their shards.",
                           at_least=1)
    top_tags: int | None = flag(None, "Tags of a photo at the most; by default as many as the export answers, which "
                                      "are the most that can be asked for.", at_least=1)
    min_score: float | None = flag(None, "Probability that a tag must reach; by default what the export chose on the "
                                         "validation split.", at_least=0, at_most=1)
    write_xmp: bool = flag(False, "Write each photo's tags as keywords to an XMP side-car beside it, which digiKam, "
                                  "darktable and others read. Keywords that are there stay; photos are not touched.")
    runner: str = flag("local", "With --output, who answers: this machine, or a cluster by Apache Beam (pip install "
                                "with the extra [beam]). The export, --images and --output are then on a file system "
                                "that all machines mount in the same place.", choices=("local", "beam"))
    beam_args: str = flag("", "Pipeline options for --runner=beam, separated by spaces, as of make_records.")
    photos: tuple[str, ...] = positional("IMAGE", "Photos, folders of photos, or patterns such as 'holiday/*.jpg'. "
                                                  "Those that cannot be read are listed and counted at the end; the "
                                                  "exit status is 1 only where none can.",
                                         path=True)
