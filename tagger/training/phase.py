"""One training, from its flags to the loop: what a phase of --mode=train runs on devices that are open already."""

import dataclasses
from collections.abc import Sequence

import keras
import tensorflow as tf
from etils import epath

from flags.errors import UserError
from flags.train import RESUMABLE, Train
from records.format import layout
from records.format import manifest as manifest_lib
from records.format.backbone_identity import check_same as check_same_backbone
from records.input.caption_dataset import TrainBatches, open_split, reading_errors
from records.input.image_dataset import ImageBatches
from records.text.vocabulary import Vocabulary
from tagger.evaluation.validation_cider import ValidationCaptions
from tagger.losses import self_critical
from tagger.losses.cross_entropy import CrossEntropy, Objective
from tagger.losses.distillation import Teachers
from tagger.modeling.lstm import recurrence_for
from tagger.runs import run_dir
from tagger.training import history, loss_plot
from tagger.training.callbacks import make_callbacks
from tagger.training.checkpoints import Checkpoints
from tagger.training.distributed_dataset import Feed
from tagger.training.distribution import Devices
from tagger.training.loop import BAD_BATCH_FILE, TENSORBOARD_FOLDER, Loop
from tagger.training.mixed_precision import LossScale, compute_dtype
from tagger.training.optimizer import FusedAdam
from tagger.training.step import Stepper


def train_on(config: Train, devices: Devices, start_from: str = "", teachers: Sequence[str] = ()) -> int:
    """Trains, or goes on training, and returns the exit status.

    Args:
      config: what is run, and what is written into config.json. With self_critical_epochs, that phase.
      start_from: run folder whose best weights are the start; "" for new weights.
      teachers: run folders of models to learn from as well.

    Raises:
      UserError: bad input, another run in the folder, a loss that is not finite.
    """
    phase = config
    if config.self_critical_epochs:
        phase = dataclasses.replace(
            config, epochs=config.self_critical_epochs, learning_rate=config.self_critical_learning_rate,
            monitor="val_cider")
    manifest = manifest_lib.load(config.records_dir)
    vocabulary = Vocabulary.load(config.records_dir)
    if config.vocabulary_size:
        vocabulary = vocabulary.truncated(min(config.vocabulary_size, vocabulary.size))
    train_split, validation_split = (
        open_split(config.records_dir, split) for split in (config.train_split, config.validation_split))
    place = config.batch_size, config.seed, config.ram_budget_mb, devices.host, devices.hosts, config.pipeline_threads
    batches: TrainBatches | ImageBatches
    if config.self_critical_epochs:
        batches = ImageBatches(train_split, *place, vocabulary.size)
    else:
        batches = TrainBatches(train_split, *place, vocabulary.size, config.bucket_batches)
    train = Feed(batches, devices)
    validation = Feed(TrainBatches(validation_split, *place, vocabulary.size, config.bucket_batches), devices)
    if devices.is_chief:
        _prepare(config, manifest, vocabulary)
    _barrier(devices)

    updates_per_epoch = -(-train.steps // config.accumulate_steps)
    with devices.strategy.scope():
        dtype = compute_dtype(config.precision, devices.on_gpu)
        model = run_dir.new_model(config, manifest, vocabulary, compute_dtype=dtype,
                                  recurrence=recurrence_for(devices.on_gpu, config.xla))
        optimizer = FusedAdam(
            phase.learning_rate, config.schedule, config.warmup_steps, phase.epochs * updates_per_epoch,
            config.clip_norm, config.weight_decay)
        optimizer.build(model.weights)
        scale = _start_from(start_from, model, vocabulary, manifest) if start_from else 1.0
        model.scale_output(model.logit_scale / scale)
        objective: Objective
        if isinstance(batches, ImageBatches):
            objective = self_critical.objective(config, batches, vocabulary)
        else:
            objective = CrossEntropy(config.label_smoothing, config.tag_weight, vocabulary.is_tag,
                                     teachers=_teachers(teachers, model, config.teacher_weight))
        stepper = Stepper(devices, model, optimizer, objective, config.seed,
                          config.accumulate_steps > 1, config.ema, LossScale() if dtype == "float16" else None,
                          config.xla)
        length = run_dir.longest(manifest, config.train_split)
        published = model.published(length)
    stepper.compile(train.epoch(0).element_spec, validation.ordered().element_spec)
    callbacks: list[keras.callbacks.Callback] = make_callbacks(phase, model, length, devices.is_chief)
    captions = None
    if phase.monitor == "val_cider":
        captions = ValidationCaptions(model, vocabulary, validation_split, length)
    loop = Loop(phase, devices, published, optimizer, stepper, train, validation, callbacks, captions)
    with reading_errors(config.records_dir):
        return loop.run()


def _prepare(config: Train, manifest: manifest_lib.Manifest, vocabulary: Vocabulary) -> None:
    """Makes the run folder, or checks that this command continues what is in it.

    Raises:
      UserError: a flag that shapes the result, or the records, differ from those of the run in the folder.
    """
    folder = epath.Path(config.run_dir)
    checkpoints = Checkpoints(folder, config.keep_checkpoints)
    if config.fresh:
        checkpoints.remove_all()
        for name in (run_dir.CONFIG_FILE, run_dir.WEIGHTS_FILE, history.HISTORY_FILE, history.THROUGHPUT_FILE,
                     loss_plot.FILE, BAD_BATCH_FILE):
            (folder / name).unlink(missing_ok=True)
        if (folder / TENSORBOARD_FOLDER).exists():
            (folder / TENSORBOARD_FOLDER).rmtree()
    if checkpoints.steps():
        check_same(config, manifest)
    run_dir.save_description(config, manifest, vocabulary)


def check_same(config: Train, manifest: manifest_lib.Manifest) -> None:
    """Raises UserError where the run in --run_dir has been started with other flags or records that shape it."""
    before = run_dir.load_config(config.run_dir)
    if before is None:
        raise UserError(f"--run_dir={config.run_dir}: holds checkpoints but no {run_dir.CONFIG_FILE}; restore it, or "
                        "start over with --fresh")
    free = RESUMABLE - ({"epochs"} if config.schedule == "cosine" else set())
    for field in dataclasses.fields(Train):
        old, new = getattr(before, field.name), getattr(config, field.name)
        if old != new and field.name not in free:
            raise UserError(f"--{field.name}={new}: the run in --run_dir={config.run_dir} was started with "
                            f"--{field.name}={old}; give that to continue it, another --run_dir, or --fresh to start "
                            "over")
    if manifest_lib.from_json((epath.Path(config.run_dir) / layout.MANIFEST).read_bytes()) != manifest:
        raise UserError(f"--records_dir={config.records_dir}: is not the records folder that the run in "
                        f"--run_dir={config.run_dir} was started with; give that, another --run_dir, or --fresh to "
                        "start over")


def _start_from(folder: str, model: run_dir.MergeModel, vocabulary: Vocabulary, manifest: manifest_lib.Manifest
                ) -> float:
    """Copies the best weights of the run in `folder` into `model`; returns that run's logit_scale."""
    other = run_dir.load_run(folder)
    if other.vocabulary.words != vocabulary.words:
        raise UserError(f"--init_from={folder}: has another vocabulary ({other.vocabulary.size} entries, "
                        f"these records {vocabulary.size}); give a run trained on the same records and "
                        "--vocabulary_size")
    check_same_backbone(other.manifest.backbone, manifest.backbone, f"--init_from={folder}", "these records",
                        "give a run trained on the same features")
    for mine, source in zip(model.weights, other.model.weights, strict=True):
        mine.value.assign(source.value)
    return other.model.logit_scale


def _teachers(folders: Sequence[str], student: run_dir.MergeModel, share: float) -> Teachers | None:
    computing = {"compute_dtype": student.compute_dtype, "recurrence": student.recurrence}
    models = [run_dir.load_run(folder, **computing).model for folder in folders]
    return Teachers(models, share) if models else None


def _barrier(devices: Devices) -> None:
    """Waits until every host is here: the chief has prepared the run folder."""
    if devices.hosts > 1:
        @tf.function(autograph=False)
        def meet():
            return devices.strategy.run(lambda: tf.distribute.get_replica_context().all_reduce("sum", tf.constant(1.0)))

        meet()
