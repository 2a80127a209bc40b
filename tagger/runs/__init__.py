"""Run folders, which train writes and the other modes read."""
