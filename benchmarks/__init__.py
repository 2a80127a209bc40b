"""Every performance claim, runnable: python -m benchmarks.NAME."""
