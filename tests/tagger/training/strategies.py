"""Runs several trainings on one set of devices, in one process: python strategies.py DEVICES JSON.

DEVICES is that of the flag, or "gpu halves": two logical devices on one GPU. JSON is a list of dicts of flags. A
process can hold one set of devices only.
"""

import json
import sys

import tensorflow as tf

from flags.train import Train
from tagger.training import distribution
from tagger.training.caption_task import CaptionTask
from tagger.training.pixel_task import PixelTask
from tagger.training.self_critical_task import SelfCriticalTask
from tagger.training.stage import run_stage


def halves() -> distribution.Devices:
    """MirroredStrategy over two halves of the first GPU."""
    half = tf.config.LogicalDeviceConfiguration(memory_limit=8192)
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("GPU")[0], [half, half])
    return distribution._strategy("GPU", 2, 0, 1)


opened = halves() if sys.argv[1] == "gpu halves" else distribution.open_devices(sys.argv[1])
tf.config.experimental.enable_op_determinism()
for flags in json.loads(sys.argv[2]):
    config = Train(**flags)
    task = PixelTask if config.train_backbone else SelfCriticalTask if config.self_critical_epochs else CaptionTask
    assert run_stage(task(config=config, devices=opened)) == 0
