"""--mode=train: checks the flags, and runs the stages that they ask for one after the other."""

import contextlib
import dataclasses
import re
import sys
from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf
from etils import epath

from flags.errors import TemporaryError, UserError
from flags.train import Train
from records.format import joined
from records.format.layout import TAGS
from records.format.manifest import Manifest
from records.input.shard_reader import open_split
from records.util.atomic_files import remove_leftovers
from records.util.folder_lock import locked
from records.util.folders import make_folder, missing_folders, remove_if_empty
from tagger.runs import trained_features
from tagger.training import fit_tag_readout, run_folder
from tagger.training.batch_size import with_batch_size
from tagger.training.calibrate_tags import calibrate
from tagger.training.callbacks import as_list, check_names
from tagger.training.caption_task import CaptionTask
from tagger.training.checkpoints import Checkpoints
from tagger.training.distribution import Devices, describe, idle_gpu, open_devices, wait_for_all
from tagger.training.mixed_precision import compute_dtype, slow_on_cpu
from tagger.training.pixel_task import PixelTask, check_network
from tagger.training.same_run import check_same
from tagger.training.stage import announce, run_stage
from tagger.training.stages import Stage, stages_of

# Lines of a TensorFlow error that say where in the program, not what happened.
_PLACE = re.compile(r'Graph execution error|Detected at node|File "|<stack traces unavailable>|Stack trace for|'
                    r'\[\[|\d+ root error')
_SEED_STEP = 1000  # from one teacher to the next, so that runs of seeds 0, 1, 2 … share none


def run(config: Train, callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback = ()) -> int:
    """Trains, or goes on training, and returns the exit status.

    Args:
      callbacks: called like those of --callbacks, in the stage that writes the run folder itself; one, or several.

    Raises:
      UserError: bad flags or input, a callback that is none, another run in the folder, a loss that is not finite, a
        lost worker.
    """
    _check(config)
    check_names(config.callbacks)
    own_callbacks = as_list(callbacks)
    run_folder.check_free(config.run_dir)  # on every host: what another one is writing there now is a run's
    config = with_batch_size(config, run_folder.TEACHER_FOLDER.format(1), run_folder.CROSS_ENTROPY_FOLDER)
    devices = open_devices(config.devices)
    if config.xla and devices.replicas > 1:
        raise UserError(f"--xla=true: TensorFlow cannot compile a step over {devices.replicas} devices with XLA; use "
                        "one device, or --xla=false")
    if config.xla and config.self_critical_epochs:
        raise UserError("--xla=true: XLA cannot compile sampled captions, whose number shrinks as they end; train the "
                        "first stage with it, then start --self_critical_epochs with --init_from and --xla=false")
    dtype = compute_dtype(config.precision, devices.on_gpu)
    lines = idle_gpu(config.devices, devices.on_gpu), describe(devices, dtype), slow_on_cpu(dtype, devices.on_gpu)
    for line in filter(None, lines):
        print(line, file=sys.stderr, flush=True)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    with _alone(config, devices):
        try:
            status = _run_stages(config, devices, own_callbacks)
        except tf.errors.OpError as error:
            if devices.hosts == 1:
                raise
            raise TemporaryError(
                f"another worker stopped answering ({type(error).__name__}{_reason(error)}); start every worker "
                "again with the same command, the run continues from its last checkpoint") from error
        if status == 0 and devices.is_chief and TAGS in joined.load(config.records_dir).files:
            records_dir = trained_features.records_for(config.run_dir, config.records_dir)
            validation = open_split(records_dir, config.validation_split)
            if config.tag_weight:
                fit_tag_readout.fit(config.run_dir, open_split(records_dir, config.train_split), validation)
            calibrate(config.run_dir, validation)
        return status


def _reason(error: tf.errors.OpError) -> str:
    """": " and the first line of TensorFlow's message that says what happened; "" where all of it says where."""
    for line in map(str.strip, error.message.splitlines()):
        if line and not _PLACE.match(line):
            return ": " + line.partition(" [[{{node")[0][:200]
    return ""


def _check(config: Train) -> None:
    """Refuses what several flags together, or one in a way of its own, cannot mean."""
    if config.teachers and config.teacher_weight > 1 - config.label_smoothing:
        raise UserError(f"--teacher_weight={config.teacher_weight}: expected at most "
                        f"{1 - config.label_smoothing:g}, which is what --label_smoothing leaves of a target")
    if config.teachers and config.self_critical_epochs and config.init_from:
        raise UserError(f"--teachers={config.teachers}: teach the cross-entropy stage, which --init_from takes the "
                        "place of where --self_critical_epochs is given; leave one of the three out")
    if config.vocabulary_size and config.vocabulary_size < 4:
        raise UserError(f"--vocabulary_size={config.vocabulary_size}: expected 0 for all, or at least 4: three special "
                        "entries and a word")


@contextlib.contextmanager
def _alone(config: Train, devices: Devices) -> Iterator[None]:
    """Holds the run folder on the host that writes it.

    Raises:
      UserError: another training holds it.
    """
    with contextlib.ExitStack() as lock:
        if devices.is_chief:
            missing = missing_folders(config.run_dir)
            make_folder(config.run_dir, "run_dir")
            try:
                lock.enter_context(locked(config.run_dir))
                remove_leftovers(config.run_dir, others=("eval-", "report.", "records"))
                lock.callback(remove_if_empty, missing)
            except BlockingIOError as error:
                raise UserError(f"--run_dir={config.run_dir}: another training is writing there ({error}); wait for "
                                "it, end it, or give another --run_dir") from None
        yield


def _run_stages(config: Train, devices: Devices, callbacks: Sequence[keras.callbacks.Callback]) -> int:
    """Trains the teachers, then each of the stages from the best weights of the one before."""
    if config.train_backbone and len(joined.folders(config.records_dir)) > 1:
        raise UserError(f"--train_backbone: --records_dir={config.records_dir} names several folders, and a backbone "
                        "learns from the photos of one; give one of them")
    teachers = [str(epath.Path(config.run_dir) / run_folder.TEACHER_FOLDER.format(number + 1))
                for number in range(config.teachers)]
    stages = stages_of(config, teachers)
    if stages[0].task is not CaptionTask:
        teachers = []
    if not config.fresh:
        _check_begun(stages, joined.load(config.records_dir))
    if config.train_backbone and stages[0].task is CaptionTask:  # a pixel stage that starts at once says so itself
        check_network(config, joined.load(config.records_dir))
    count = len(teachers) + len(stages)
    if code := _train_teachers(config, devices, teachers, count):
        return code
    start, records_dir = config.init_from, config.records_dir
    for number, stage in enumerate(stages, len(teachers) + 1):
        last = stage is stages[-1]
        flags = dataclasses.replace(stage.config, records_dir=records_dir)
        if devices.is_chief:
            announce(number, count, stage.what, flags.run_dir)
        task = stage.task(config=flags, devices=devices, init_from="" if stage.new_model else start, **stage.arguments)
        if code := run_stage(task, callbacks if last else (), last):
            return code
        start = flags.run_dir
        if stage.task is PixelTask and not last:
            records_dir = _records_of(start, config, devices)
    return 0


def _check_begun(stages: Sequence[Stage], manifest: Manifest) -> None:
    """Checks that the stages which have begun are those of this command, the last first, before any of them goes on.

    Args:
      manifest: of the records that the command names.
    """
    for stage in reversed(stages):
        if Checkpoints(stage.config.run_dir, stage.config.keep_checkpoints).steps():
            check_same(stage.config, None if stage.new_features else manifest)


def _train_teachers(config: Train, devices: Devices, folders: Sequence[str], stages: int) -> int:
    """Trains a teacher in each of the run folders, the first of so many stages; returns the exit status."""
    for number, folder in enumerate(folders, 1):
        if devices.is_chief:
            which = f"teacher {number} of {len(folders)}" if len(folders) > 1 else "the teacher"
            announce(number, stages, f"{which} learns the captions", folder)
        teacher = dataclasses.replace(config, run_dir=folder, seed=config.seed + number * _SEED_STEP, teachers=0,
                                      self_critical_epochs=0, train_backbone="", init_from="")
        if code := run_stage(CaptionTask(config=teacher, devices=devices)):
            return code
    return 0


def _records_of(run_dir: str, config: Train, devices: Devices) -> str:
    """The records with the features of the backbone that `run_dir` trained; made by the chief while others wait."""
    if devices.is_chief:
        trained_features.records_for(run_dir, config.records_dir)
    wait_for_all(devices)
    return trained_features.records_for(run_dir, config.records_dir)
