"""Flags of --mode=report."""

import dataclasses

from flags.spec import flag


@dataclasses.dataclass(frozen=True)
class Report:
    """Writes one self-contained HTML page about a run."""

    run_dir: str = flag(help="Folder that train wrote. Other runs beside it, in the same parent folder, are what its "
                             "metrics are compared with.")
    output: str = flag("", "File to write, to keep pages of several days or to write where a web server looks; "
                           "RUN_DIR/report.html when empty.")
    records_dir: str = flag("", "Folder of the records, for the photos of the worst and best examples. Needed only "
                                "when it has moved since eval read it.")
    examples: int = flag(6, "Worst and best examples shown of each evaluated split, so many of each.")
    compare: int = flag(12, "Runs of the parent folder in the comparison, the most recent first; 0 shows none.")
