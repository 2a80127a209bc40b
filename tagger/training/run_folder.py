"""Whether a folder may become a run: what else is in it would be written over, or lost among the files of the run."""

import re

from etils import epath

from flags.errors import UserError
from records.format import layout
from tagger.modeling import tag_calibration
from tagger.runs import run_dir as runs
from tagger.runs import trained_backbone
from tagger.training import bad_batch, checkpoints, history, loss_plot, tensorboard

# Of a run folder: the runs of the stages before.
CROSS_ENTROPY_FOLDER, PIXELS_FOLDER, TRAINED_FEATURES_FOLDER = "cross_entropy", "pixels", "trained_features"
TEACHER_FOLDER = "teacher_{}"

_NAMED = 3  # files that an error names
_TRAINED = frozenset({checkpoints.FOLDER, runs.WEIGHTS_FILE, history.HISTORY_FILE})  # by these a run is known
# What a start that was interrupted before config.json, or a run that died in its first stage, leaves.
_OF_RUNS = _TRAINED | {
    layout.MANIFEST, layout.VOCABULARY, layout.WORD_COUNTS, layout.TAGS, layout.TAG_FORMS, history.THROUGHPUT_FILE,
    loss_plot.FILE, bad_batch.FILE, tensorboard.FOLDER, runs.READOUT_FILE, tag_calibration.FILE,
    trained_backbone.WEIGHTS_FILE, trained_backbone.HASH_FILE,
    CROSS_ENTROPY_FOLDER, PIXELS_FOLDER, TRAINED_FEATURES_FOLDER}
_OTHERS = re.compile(
    r"\..*|lost\+found"  # hidden files, and a disk's own
    rf"|{TEACHER_FOLDER.format('[0-9]+')}|eval-.*|report\..*|.*\.tmp-[0-9]+"  # of runs
    r"|slurm-.*|.*\.(log|out|err|flags|sh|sbatch)|events\.out\.tfevents\..*")  # of the job that runs the training


def check_free(run_dir: epath.PathLike) -> None:
    """Checks that a folder is a run, or holds nothing that a new run would harm or be lost among; writes nothing.

    Raises:
      UserError: it holds records, other runs, or files that no training leaves.
    """
    folder, what = epath.Path(run_dir), f"--run_dir={run_dir}"
    if not folder.is_dir():
        return
    if runs.holds_records(folder):
        raise UserError(f"{what}: holds records; give a folder of its own")
    names = sorted(path.name for path in folder.iterdir())
    if _is_run(folder, names):
        return
    others = [name for name in names if name not in _OF_RUNS and not _OTHERS.fullmatch(name)]
    if not others:
        return
    if inside := runs.runs_in(folder, others):
        raise UserError(f"{what}: is no run, but has some in it: {inside}; give a folder of its own, such as "
                        f"{folder / 'new'}, or one of them to continue it")
    more = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
    raise UserError(f"{what}: is no run, and holds {', '.join(others[:_NAMED])}{more}; give a folder of its own, such "
                    f"as {folder / 'run'}")


def _is_run(folder: epath.Path, names: list[str]) -> bool:
    try:
        return runs.load_config(folder) is not None
    except UserError:  # a run's that is damaged, which is said later, or that of another program
        return not _TRAINED.isdisjoint(names)
