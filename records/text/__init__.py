"""Words: captions to tokens, and the vocabulary that numbers them."""
