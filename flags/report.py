"""Flags of --mode=report."""

import dataclasses

from flags.spec import Flags, flag


@dataclasses.dataclass(frozen=True)
class Report(Flags):
    """Writes one self-contained HTML page about a run."""

    run_dir: str = flag(help="Folder that train wrote; other runs beside it, in the same parent folder, are what its "
                             "metrics are compared with. Or that parent folder: then a page that compares all runs in "
                             "it, with a table and their curves.", path=True)
    output: str = flag("", "File to write, to keep pages of several days or to write where a web server looks; "
                           "RUN_DIR/report.html when empty.", path=True)
    records_dir: str = flag("", "Folder of the records, for the photos of the worst and best examples. Needed only "
                                "when it has moved since eval read it.", path=True)
    examples: int = flag(6, "Worst and best examples shown of each evaluated split, so many of each.", at_least=0)
    compare: tuple[str, ...] = flag(("12",), "Runs in the comparison: a number, of those in the parent folder and the "
                                             "most recent first, 0 for none; or the run folders to compare with.")
