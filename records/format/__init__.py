"""What a records folder holds: its examples, its TFRecord files and its manifest."""
