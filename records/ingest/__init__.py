"""Pass 1 of make_records: rows and photos to splits, a vocabulary and one plan per shard."""
