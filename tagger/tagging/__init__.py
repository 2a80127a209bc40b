"""Bulk tagging: any number of photos to shards of captions and tags."""
