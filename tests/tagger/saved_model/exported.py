"""The export of the demo run as tests ask it, and photos to ask it about."""

import io

from PIL import Image, ImageOps

from tagger.saved_model.loaded import SavedModel
from tests.records.inputs import PHOTOS

SCORE_TOLERANCE = 2e-3  # records round features to float16, and a sampled path may turn with the last bit


class EveryTag:
    """An export that is always asked for all of its tags, whatever their scores."""

    def __init__(self, model: SavedModel):
        self._model, self.signatures = model, model.signatures

    def answer(self, images: list[bytes]) -> list[dict]:
        return self._model.answer(images, min_score=0.0)


def photos(count: int) -> list[bytes]:
    """Different photos: the embedded ones, then mirrored, then turned ones."""
    result = []
    for index in range(count):
        path = PHOTOS[index % len(PHOTOS)]
        if index < len(PHOTOS):
            result.append(path.read_bytes())
            continue
        with Image.open(path) as image:
            changed = ImageOps.mirror(image) if index // len(PHOTOS) % 2 else image
            changed = changed.rotate(index // len(PHOTOS) * 3)
            out = io.BytesIO()
            changed.save(out, "JPEG", quality=90)
            result.append(out.getvalue())
    return result
