"""Runs several trainings on one set of devices, in one process: python strategies.py DEVICES JSON.

JSON is a list of dicts of flags. A process can hold one set of devices only.
"""

import json
import sys

import tensorflow as tf

from flags.train import Train
from tagger.devices import open_devices
from tagger.phase import train_on

devices = open_devices(sys.argv[1])
tf.config.experimental.enable_op_determinism()
for flags in json.loads(sys.argv[2]):
    assert train_on(Train(**flags), devices) == 0
