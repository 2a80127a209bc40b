"""Whether a command continues the run in its folder: the records and the flags that shape the result are the same."""

import dataclasses

from flags.errors import UserError
from flags.flag_files import as_text
from flags.train import OF_PIXELS, OF_SELF_CRITICAL, RESUMABLE, Train
from records.format import backbone_identity, layout
from records.format.manifest import Manifest
from tagger.runs import run_dir


def check_same(config: Train, manifest: Manifest | None) -> None:
    """Checks that the run in --run_dir was started as `config` says.

    Args:
      manifest: of the records that the run learns from; None where these are not there yet.

    Raises:
      UserError: records or flags that shape the run differ; all of those flags are named. Or there is no run.
    """
    before = run_dir.load_config(config.run_dir)
    if before is None:
        raise UserError(f"--run_dir={config.run_dir}: holds checkpoints but no {run_dir.CONFIG_FILE}; restore it, or "
                        "start over with --fresh")
    fields = [field for field in dataclasses.fields(Train) if field.name not in _free(before, config)
              and getattr(before, field.name) != getattr(config, field.name)]
    old = " ".join(f"--{field.name}={as_text(getattr(before, field.name))}" for field in fields)
    if manifest is not None and (recorded := run_dir.load_manifest(config.run_dir)) != manifest:
        its_own = "they were made anew since" if before.records_dir == config.records_dir else (
            f"its own are {before.records_dir}")
        flags = f", and with {old}" if fields else ""
        raise UserError(f"--records_dir={config.records_dir}: holds other records than the run in "
                        f"--run_dir={config.run_dir} was started with ({_difference(manifest, recorded)}; {its_own})"
                        f"{flags}; give those, another --run_dir, or --fresh to start over")
    if fields:
        # What was given comes before what was left out.
        fields.sort(key=lambda field: getattr(config, field.name) == field.default)
        given = "; ".join(_given(config, field) for field in fields)
        raise UserError(f"{given}: the run in --run_dir={config.run_dir} was started with {old}; give "
                        f"{'that' if len(fields) == 1 else 'these'} to continue it, another --run_dir, or --fresh to "
                        "start over")


def epochs_flag(config: Train) -> str:
    """The flag of which more makes a finished run go on; "" where none does.

    A cosine schedule depends on it, and what comes before another stage has taught that one already.
    """
    if config.schedule == "cosine" or config.teachers or config.self_critical_epochs:
        return ""
    if config.train_backbone:
        return "trained_feature_epochs" if config.trained_feature_epochs else ""
    return "epochs"


def _free(before: Train, config: Train) -> frozenset[str]:
    """The flags that may differ."""
    free = RESUMABLE
    if epochs_flag(before) == epochs_flag(config):
        free |= {epochs_flag(config)}
    if not (before.train_backbone or config.train_backbone):
        free |= OF_PIXELS
    if not (before.self_critical_epochs or config.self_critical_epochs):
        free |= OF_SELF_CRITICAL
    if not (before.teachers or config.teachers):
        free |= {"teacher_weight"}
    return free


def _given(config: Train, field: dataclasses.Field) -> str:
    value = getattr(config, field.name)
    if value == field.default:
        return f"--{field.name} is left out, or {as_text(value) or 'empty'}, its default"
    return f"--{field.name}={as_text(value)}"


def _difference(manifest: Manifest, recorded: Manifest) -> str:
    """What differs between records, so far as the manifests say."""
    here, there = manifest.backbone, recorded.backbone
    names = [backbone.name if backbone else "none" for backbone in (here, there)]
    if names[0] != names[1]:
        return f"the backbone is {names[0]}, not {names[1]}"
    if here and there and (different := backbone_identity.difference(here, there)):
        return f"the backbone's {different[0]} differs"
    if manifest.files.get(layout.VOCABULARY) != recorded.files.get(layout.VOCABULARY):
        return "another vocabulary"
    return "other examples" if manifest.splits != recorded.splits else "the same examples, made otherwise"
