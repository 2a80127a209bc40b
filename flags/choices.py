"""Values that flags of several modes, and the code that acts on them, have to know alike."""

BLOCK_REPEATS = ("none", "adjacent", "content_words", "all")  # what each means: tagger/decoding/repetition.py
MAX_BEAM_WIDTH = 64  # captions kept at a step: a wider request to a server would only take its memory
FEATURE_VIEWS = ("one", "flip", "crops")  # test-time augmentation: records/backbones/frozen_encoder.py
BACKBONE_PRECISIONS = ("float32", "bfloat16")
PRECISIONS = ("float32", "mixed_bfloat16")  # of a trained model's answers: what matrices are multiplied in
SHEET_PHOTOS = 24  # of tag --sheet
