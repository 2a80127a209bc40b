"""Flags of --mode=demo."""

import dataclasses

from flags.spec import Flags, flag


@dataclasses.dataclass(frozen=True)
class Demo(Flags):
    """The whole job on the photos that ship with the package."""

    run_dir: str = flag("demo_run", "Folder for all that the demo writes; name another to keep several side by side.",
                        path=True)
    seed: int = flag(0, "Decides splits, shuffling and dropout; another seed shows how much luck is in 47 photos.")
