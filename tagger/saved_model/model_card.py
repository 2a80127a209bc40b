"""README.md of an export folder: what the model takes and answers, with a request that was really answered."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from records.util.counted import counted

FEW_PHOTOS = 100  # a calibration on fewer promises nothing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """What the README says about an exported model.

    Attributes:
      version: number of the folder that holds it.
      created_with: software that wrote it, and its version.
      target: what the models were trained to write, "captions" or "tags".
      ensemble: number of models whose probabilities are averaged.
      backbone: name of the network that makes features. preprocessing: how it takes its pixels.
      image_size: pixels of the square that photos are resized to.
      feature_size: F, numbers in a feature.
      vocabulary_size: V, words, the three special ones included.
      top_tags: n, the most tags that a photo gets.
      min_score: score from which on tags are answered, unless a request says otherwise.
      calibrated: whether tag scores were calibrated on the validation split.
      calibration_photos: of how many photos that was; None where it is not known.
      tag_prompt: whether the models were trained to rank tags (--tag_weight).
      tag_samples: sampled captions that tags are ranked by where the models were not.
      beam_width, length_penalty: of the beam search, unless a request says otherwise.
      max_length: words of the longest caption.
      block_repeats: which repeated words are not written, one of `flags.choices.BLOCK_REPEATS`.
      stored_as: in which weights are stored.
      precision: in which the model computes, one of `flags.choices.PRECISIONS`.
      changed_captions: how many captions that changes, in words; "" for float32.
    """

    version: int
    created_with: str
    target: str
    ensemble: int
    backbone: str
    preprocessing: str
    image_size: int
    feature_size: int
    vocabulary_size: int
    top_tags: int
    min_score: float
    calibrated: bool
    calibration_photos: int | None
    tag_prompt: bool
    tag_samples: int
    beam_width: int
    length_penalty: float
    max_length: int
    block_repeats: str
    stored_as: str
    precision: str
    changed_captions: str


def readme(facts: Facts, answer: Mapping[str, Any]) -> str:
    """The text of README.md.

    Args:
      facts: what is told about the model.
      answer: what the model answered about one photo: caption, tags as [[tag, score], …].
    """
    n = facts.top_tags
    prediction = {"caption": answer["caption"], "tags": [tag for tag, _ in answer["tags"]],
                  "tag_scores": [round(score, 4) for _, score in answer["tags"]], "valid": True}
    return f"""# An image tagger as a TensorFlow SavedModel

Takes encoded photos, answers a caption and ranked tags for each. TensorFlow alone runs it, on CPU or GPU, through
Python, `saved_model_cli` or TensorFlow Serving, each from version 2.20 on (older ones have no DecodeWebP operation).
Every sub-folder with a number is a version; the newest, {facts.version}, is described here.

| | |
|---|---|
| trained on | {facts.target} |
| models averaged | {facts.ensemble} |
| vocabulary | {facts.vocabulary_size:,} words |
| features | {facts.backbone}, {facts.feature_size:,} numbers; {facts.preprocessing} |
| photos are seen at | {facts.image_size} x {facts.image_size} pixels, squashed to that square |
| weights stored as | {facts.stored_as} |
| computes in | {_arithmetic(facts)} |
| written with | {facts.created_with} |

## Signatures

`serving_default`:

| | name | dtype | shape | |
|---|---|---|---|---|
| in | `image_bytes` | string | [batch] | encoded JPEG, PNG, GIF (first frame), BMP or still WebP; any size |
| out | `caption` | string | [batch] | words separated by one space |
| out | `tags` | string | [batch, {n}] | most probable first, from `min_score` on; "" where there are fewer |
| out | `tag_scores` | float32 | [batch, {n}] | probability of each tag, see below |
| out | `valid` | bool | [batch] | false where the bytes cannot be read as an image; the row's other outputs are "", 0 |

`features` takes `features`, float32 [batch, {facts.feature_size}], the backbone's pooled output, and answers the
same without `valid`.

`serving_default_with_options` and `features_with_options` take five scalars more, all with defaults, and answer one
output more, `caption_score`:

| name | dtype | default | |
|---|---|---|---|
| `beam_width` | int32 | {facts.beam_width} | captions kept at every step, 1 to 64; 1 is greedy |
| `length_penalty` | float32 | {facts.length_penalty} | captions rank by log probability / \
(words + 1) ** length_penalty |
| `max_length` | int32 | {facts.max_length} | words at the most, 1 to {facts.max_length} |
| `min_score` | float32 | {facts.min_score:.2f} | score that a tag must reach to be answered |
| `top_tags` | int32 | {n} | tags at the most, 1 to {n} |

A `beam_width`, `max_length` or `top_tags` outside its range is no error: the nearest value inside it is taken.
gRPC clients and `saved_model_cli` may leave options out. TensorFlow Serving's REST interface wants every input of the
signature that it is asked for (in the columnar `inputs` form), which is why the plain signatures have none.

## What can be relied on

- A batch may hold from 0 to any number of images; 32 are computed at a time. Each row's answer depends on its image
  alone (to float rounding), and is the same every time.
- An unreadable image never fails a batch.
- `<unk>` never occurs. Repeated words: `block_repeats={facts.block_repeats}`.

## What scores mean

- `tag_scores`: {_tag_scores(facts)}.
  Scores of different tags are no shares of one whole: each lies between 0 and 1.
- `caption_score`: geometric mean of the probabilities of the caption's words and its end.

## A request and its answer

Python:

    import tensorflow as tf
    model = tf.saved_model.load("{facts.version}")
    answer = model.signatures["serving_default"](image_bytes=tf.constant([open("photo.jpg", "rb").read()]))

TensorFlow Serving (`--model_name=tagger --model_base_path=/path/to/this/folder`), REST:

    (printf '{{"instances": [{{"b64": "'; base64 < photo.jpg | tr -d '\\n'; printf '"}}]}}') |
        curl localhost:8501/v1/models/tagger:predict -d @-

answers

    {json.dumps({"predictions": [prediction]})}

(a photo of the training framework's demo set). With options, which are scalars, the columnar form:

    {{"signature_name": "serving_default_with_options",
     "inputs": {{"image_bytes": [{{"b64": "…"}}], "beam_width": 5, "length_penalty": 0.7,
                "max_length": {min(12, facts.max_length)}, "min_score": 0.5, "top_tags": {min(5, n)}}}}}

`saved_model_cli`, which comes with TensorFlow:

    python -c 'import numpy as np; np.save("images.npy", [open("photo.jpg", "rb").read()])'
    saved_model_cli run --dir {facts.version} --tag_set serve --signature_def serving_default \\
        --inputs image_bytes=images.npy

`assets.extra/tf_serving_warmup_requests` in each version makes TensorFlow Serving compute one image and one feature
vector before it sends traffic to the version.
"""


def _arithmetic(facts: Facts) -> str:
    """The precision, and what it does to captions."""
    if facts.precision == "float32":
        return facts.precision
    return (f"{facts.precision}: products in bfloat16, scores in float32, fast on CPUs with AVX512-BF16 or AMX, right "
            f"on all; {facts.changed_captions}")


def _tag_scores(facts: Facts) -> str:
    """Where the scores come from."""
    what = "estimated probability that the tag occurs in a caption of the photo"
    if facts.calibrated:
        photos = facts.calibration_photos
        of_photos = "" if photos is None else f" of {counted(photos, 'photo')}"
        meaning = ("too few for more than a rough guess, as it takes a hundred at least."
                   if photos is not None and photos < FEW_PHOTOS else
                   "of the tags with a score of 0.7 to 0.8 about three quarters are right.")
        what = ("probability that the tag is right, which is that at least one person would give it to the photo,\n  "
                f"calibrated on the validation split{of_photos}: {meaning}\n  "
                "Beneath it is the estimated probability that the tag occurs in a caption")
    if facts.tag_prompt:
        return f"{what}, which the model was trained to answer\n  (`--tag_weight`)"
    return (f"""{what}, 1 - (1 - p1)(1 - p2)…, with pi the
  model's probability of that word at place i of a caption; averaged over the captions of the beam search and
  {facts.tag_samples} sampled ones (the same ones every time; rounding in a batch of another size rarely decides a
  close choice otherwise, which moves that photo's scores by about a hundredth)""")
