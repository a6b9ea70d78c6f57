"""Checkpoints: the project's own, CLIP's, IRRA's and others'."""
