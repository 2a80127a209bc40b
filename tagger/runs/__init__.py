"""Run folders: what train writes and the others read."""
