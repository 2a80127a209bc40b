"""Files, processes and terminal output that every room uses."""
