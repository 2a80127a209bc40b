"""The trainer and all that it drives: devices, datasets, optimizer, checkpoints, callbacks."""
