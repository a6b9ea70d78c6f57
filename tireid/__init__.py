"""Text-to-image person re-identification: find a person's pictures from a description."""
