"""Published results to stand beside one's own, each as cited by at least two later papers.

R@1, R@5, R@10 and mAP, text to image, in percent; NaN where the citing papers leave a figure out. They come from single
seeds, and most of their authors select the checkpoint on the test split.
"""

from __future__ import annotations

from pathlib import Path

from tireid.basics.yaml import read_yaml

FIGURES = ("R@1", "R@5", "R@10", "mAP")
PUBLISHED: dict[str, dict[str, list[float]]] = read_yaml(Path(__file__).with_suffix(".yaml"))
