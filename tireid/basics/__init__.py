"""Files, hints and progress: what every other room may use."""
