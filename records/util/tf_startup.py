"""TensorFlow's start-up noise, kept away from people who did not ask for it."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def tensorflow_starts() -> Iterator[None]:
    """Holds stderr back, from C++ too, while the code inside imports TensorFlow; shows it when that code fails.

    At its import and when it first looks for devices, TensorFlow reports missing CUDA libraries and its own logging
    set-up, and no setting reaches these lines. Does nothing where TF_CPP_MIN_LOG_LEVEL asks for such messages.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0") < "2":
        yield
        return
    sys.stderr.flush()
    # Memory where the system has such files: a full or read-only disk is no reason not to start.
    held = os.fdopen(os.memfd_create("stderr"), "w+b") if hasattr(os, "memfd_create") else tempfile.TemporaryFile()
    stderr = os.dup(2)
    os.dup2(held.fileno(), 2)
    try:
        yield
        if "tensorflow" in sys.modules:
            sys.modules["tensorflow"].config.list_physical_devices()
    except BaseException:
        held.seek(0)
        os.write(stderr, held.read())
        raise
    finally:
        sys.stderr.flush()
        os.dup2(stderr, 2)
        os.close(stderr)
        held.close()
