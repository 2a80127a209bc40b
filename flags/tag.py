"""Flags of --mode=tag."""

import dataclasses

from flags.spec import Flags, flag, positional


@dataclasses.dataclass(frozen=True)
class Tag(Flags):
    """Captions and tags photos with an exported SavedModel."""

    export_dir: str = flag(help="Folder that export wrote (its newest version is used), or one version in it.",
                           path=True)
    batch_size: int = flag(32, "Photos read and answered at once. Fewer need less memory.", at_least=1)
    json: bool = flag(False, "Print one JSON object per photo and line, for programs: image, caption, tags (each with "
                             "its score), or image and error.")
    sheet: str = flag("", "PNG to draw the first photos into, with what was said about them: to show to others.",
                      path=True)
    images: tuple[str, ...] = positional("IMAGE", "Photos, folders of photos, or patterns such as 'holiday/*.jpg'.",
                                         path=True)
