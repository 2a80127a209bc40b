"""--mode=train: checks the flags, and runs the stages that they ask for one after the other."""

import contextlib
import dataclasses
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf
from etils import epath

from flags.errors import TemporaryError, UserError
from flags.train import Train
from records.format import joined
from records.format.layout import TAGS
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
from tagger.training.distribution import Devices, describe, idle_gpu, open_devices
from tagger.training.mixed_precision import compute_dtype, slow_on_cpu
from tagger.training.pixel_task import PixelTask, check_network
from tagger.training.same_run import check_same
from tagger.training.self_critical_task import SelfCriticalTask
from tagger.training.stage import announce, run_stage, wait_for_all
from tagger.training.task import Task

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
    """Teachers, cross-entropy, pixels, cross-entropy anew, self-critical: what `config` asks for, each but that anew
    from the best weights of the one before; the last writes the run folder itself, the others folders below it.
    """
    pixels, rewards = bool(config.train_backbone), bool(config.self_critical_epochs)
    anew = pixels and bool(config.trained_feature_epochs)
    changed = pixels and (rewards or anew)  # the last stage has other records than `config` names
    if not (changed or config.fresh) and Checkpoints(config.run_dir, config.keep_checkpoints).steps():
        check_same(config, joined.load(config.records_dir))  # now, not after the first stages
    if pixels and len(joined.folders(config.records_dir)) > 1:
        raise UserError(f"--train_backbone: --records_dir={config.records_dir} names several folders, and a backbone "
                        "learns from the photos of one; give one of them")
    below, start = epath.Path(config.run_dir), config.init_from
    stages: list[tuple[type[Task], str, str, dict[str, Any]]] = []
    teachers: list[str] = []
    if not (start and (pixels or rewards)):
        teachers = [str(below / run_folder.TEACHER_FOLDER.format(number + 1)) for number in range(config.teachers)]
        stages.append((CaptionTask, run_folder.CROSS_ENTROPY_FOLDER, "the merge model learns the captions",
                       {"teachers": teachers}))
    if pixels:
        if stages:  # else it starts at once and says so itself
            check_network(config, joined.load(config.records_dir))
        stages.append((PixelTask, run_folder.PIXELS_FOLDER, "the backbone learns from photos, and the merge model with "
                       "it", {}))
    if anew:
        stages.append((CaptionTask, run_folder.TRAINED_FEATURES_FOLDER, "a new merge model learns the captions from "
                       "features of the trained backbone", {}))
    if rewards:
        stages.append((SelfCriticalTask, "", "the merge model learns from scores of captions that it writes", {}))
    count = len(teachers) + len(stages)
    if code := _train_teachers(config, devices, teachers, count):
        return code
    for number, (task, folder, what, arguments) in enumerate(stages):
        last = number == len(stages) - 1
        stage = config if last else dataclasses.replace(
            config, run_dir=str(below / folder), self_critical_epochs=0,
            train_backbone=config.train_backbone if task is PixelTask else "")
        if folder == run_folder.TRAINED_FEATURES_FOLDER:
            stage, start = dataclasses.replace(stage, epochs=config.trained_feature_epochs), ""
        if devices.is_chief:
            announce(len(teachers) + number + 1, count, what, stage.run_dir)
        if code := run_stage(task(config=stage, devices=devices, init_from=start, **arguments),
                             callbacks if last else ()):
            return code
        start = stage.run_dir
        if task is PixelTask and not last:
            config = dataclasses.replace(config, records_dir=_records_of(start, config, devices))
    return 0


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
