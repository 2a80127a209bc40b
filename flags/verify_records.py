"""Flags of --mode=verify_records."""

import dataclasses

from flags.spec import Flags, flag


@dataclasses.dataclass(frozen=True)
class VerifyRecords(Flags):
    """Reads every byte of a records folder and compares it with the manifest."""

    records_dir: str = flag(
        help="Folder that make_records wrote: check it after a copy, a download or a disk error, as TensorFlow reads "
        "some damaged shards without complaint.", path=True)
    workers: int = flag(
        0, "Files read at the same time; 0: one per CPU. 1 is faster on a spinning disk.", at_least=0)
