"""Images that take long to decode, answered by a process of its own, which yields to everything else.

    with CostlyImages(saved_model) as costly:
        outputs = costly.compute("serving_default", {"image_bytes": array})

On a thread of the server such an image holds a processor, and its operations queue before those of other clients'
images: with 200 of them, the 99th percentile of eight clients rose to 3.5 times its quiet value on two cores.
"""

import functools
import os
from collections.abc import Mapping

import numpy as np
from etils import epath

from records.util.process_pool import WorkerDied, Workers
from tagger.saved_model.loaded import SavedModel
from tagger.serving.admission import Refusal

_NICE = 5  # a third of the processor time of a process beside it, and all of it on an idle machine


class CostlyImages:
    """A process with a SavedModel of its own, on the CPU; started by the first call, and anew when it died.

    Args:
      saved_model: the folder.
    """

    def __init__(self, saved_model: epath.PathLike):
        self._path, self._workers = str(saved_model), Workers()

    def __enter__(self) -> "CostlyImages":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process, whatever it is at."""
        self._workers.close()

    def compute(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What the signature answers, see SavedModel.compute; one call at a time.

        Raises:
          Refusal: the process died at these images.
          tf.errors.OpError: the model failed at them.
        """
        try:
            (outputs,) = self._workers.map(_compute, [(self._path, signature, dict(inputs))], 1,
                                           [{"CUDA_VISIBLE_DEVICES": "-1"}])
        except WorkerDied as error:
            raise Refusal(500, "the process that decodes large photos died at this one; is memory short?") from error
        return outputs


@functools.cache
def _model(path: str) -> SavedModel:
    os.nice(_NICE)
    return SavedModel(path)


def _compute(task: tuple[str, str, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    path, signature, inputs = task
    return _model(path).compute(signature, inputs)
