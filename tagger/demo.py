"""--mode=demo: the whole job on the 47 photos that ship with the package.

Runs the same mode functions, with the same flags, as a user would on photos of one's own.
"""

import pathlib
import shlex
import sys
import time

from flags import demo as demo_flags
from flags import eval as eval_flags
from flags import export as export_flags
from flags import make_records as make_records_flags
from flags import tag as tag_flags
from flags import train as train_flags
from flags import verify_records as verify_records_flags
from flags.modes import MODES, command
from records.format import manifest
from records.input.caption_dataset import images, open_split
from records.util.progress import duration

DATA = pathlib.Path(__file__).parent / "demo_data"
WEIGHTS = DATA / "mobilenet_v2_notop_float16.weights.h5"


def _step(name: str, config: object) -> None:
    """Runs one mode and shows the command line that does the same."""
    defaults = {field.name: field.default for field in config.__dataclass_fields__.values()}  # type: ignore[attr-defined]
    given = {key: value for key, value in vars(config).items() if key != "photos"}
    words = [f"--{key}={value}" for key, value in given.items() if value != defaults[key]]
    words += list(getattr(config, "photos", ()))
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}$ {command()} --mode={name} {shlex.join(words)}{plain}", flush=True)
    start = time.monotonic()
    status = MODES[name].load_code()(config)
    if status:
        raise SystemExit(status)
    print(f"({name}: {duration(time.monotonic() - start)})", flush=True)


def run(config: demo_flags.Demo) -> int:
    """Runs make_records, verify_records, train, eval, export and tag below `config.run_dir`."""
    folder = pathlib.Path(config.run_dir)
    records_dir, run_dir, export_dir = str(folder / "records"), str(folder / "run"), str(folder / "export")
    print("Demo on 47 embedded photos (COCO, CC BY 2.0) with the small embedded backbone, MobileNetV2.\n"
          "On photos of your own use ResNet50: --backbone=resnet50 --backbone_weights=imagenet (or a path to a file).\n"
          "So few photos teach a model little: some tags, with the probability that each is right, and no sentence\n"
          "worth reading. What you see below shows that everything works, not how well.")
    _step("make_records", make_records_flags.MakeRecords(
        images=str(DATA / "images"), captions=str(DATA / "captions.token.txt"), records_dir=records_dir,
        split_fractions="train=0.75,validation=0.1,test=0.15", backbone="mobilenet_v2", backbone_weights=str(WEIGHTS),
        seed=config.seed))
    _step("verify_records", verify_records_flags.VerifyRecords(records_dir=records_dir))
    _step("train", train_flags.Train(
        records_dir=records_dir, run_dir=run_dir, batch_size=16, tag_weight=0.5, seed=config.seed))
    _step("eval", eval_flags.Eval(records_dir=records_dir, run_dir=run_dir, split="test"))
    _step("export", export_flags.Export(run_dir=run_dir, export_dir=export_dir))
    held_out = [example["key"].decode() for example in images(open_split(records_dir, "test")).as_numpy_iterator()]
    _step("tag", tag_flags.Tag(export_dir=export_dir, photos=tuple(str(DATA / "images" / key) for key in held_out)))
    counts = {name: split.examples for name, split in manifest.load(records_dir).splits.items()}
    print(f"\nThe photos tagged above were held out: the model was trained on {counts['train']} others.\n"
          f"Loss curves:   {folder / 'run' / 'loss.png'}\n"
          f"Contact sheet: {folder / 'run' / 'eval-test' / 'contact_sheet.png'}\n"
          f"SavedModel:    {export_dir}")
    return 0
