"""Flags of --mode=inspect_records."""

import dataclasses

from flags.spec import Flags, flag


@dataclasses.dataclass(frozen=True)
class InspectRecords(Flags):
    """Shows what is in a records folder, in words and as a contact sheet."""

    records_dir: str = flag(
        help="Folder that make_records wrote: look at it before hours of training, as no number shows that captions "
        "belong to other photos.", path=True)
    split: str = flag(
        "", "Only this split, to see whether it differs from the others. Default: all of them.")
    limit: int = flag(
        20_000, "Examples read of each split for the lengths, the tags and the photos. Examples lie in random order, "
        "so the first ones are a fair sample and a folder of any size is looked at in seconds; 0 reads everything.",
        at_least=0)
    sheet: str = flag(
        "", "PNG to write the contact sheet to, where the records folder is not yours to write. Default: "
        "contact_sheet.png in --records_dir; none draws no sheet.", path=True)
    sheet_images: int = flag(
        24, "Photos on the contact sheet. More show rarer mistakes.", at_least=0)
    seed: int = flag(
        0, "Which photos are drawn: another seed shows others, the same seed the same ones again.")
    top_tags: int = flag(
        40, "Most frequent tags that are listed, to see what the model will talk about; 0 lists none.", at_least=0)
