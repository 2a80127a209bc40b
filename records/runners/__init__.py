"""Where pass 2 runs: this machine or an Apache Beam cluster."""
