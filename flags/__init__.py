"""Every flag of every mode, one file per mode, free of TensorFlow so that --help answers at once."""
