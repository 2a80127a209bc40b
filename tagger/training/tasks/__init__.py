"""The kinds of training, one Task a file."""
