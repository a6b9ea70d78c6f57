"""Published results to stand beside one's own, each as cited by at least two later papers.

R@1, R@5, R@10 and mAP, text to image, in percent; NaN where the citing papers leave a figure out. They come from single
seeds, and most of their authors select the checkpoint on the test split.
"""

from __future__ import annotations

NAN = float("nan")
FIGURES = ("R@1", "R@5", "R@10", "mAP")
PUBLISHED: dict[str, dict[str, tuple[float, float, float, float]]] = {
    "CUHK-PEDES": {
        "IRRA (CVPR 2023)": (73.38, 89.93, 93.71, 66.13),
        "this paper (AAAI 2024)": (74.25, 89.83, 93.58, 66.15),
        "RDE (CVPR 2024)": (75.94, NAN, NAN, 67.56),
        "ITSELF (WACV 2026)": (76.95, NAN, NAN, 69.38),
    },
    "ICFG-PEDES": {
        "IRRA (CVPR 2023)": (63.46, 80.24, 85.82, 38.05),
        "this paper (AAAI 2024)": (65.62, 80.54, 85.83, 38.78),
        "RDE (CVPR 2024)": (67.68, NAN, NAN, 40.06),
        "ITSELF (WACV 2026)": (69.23, NAN, NAN, 43.80),
    },
    "RSTPReid": {
        "IRRA (CVPR 2023)": (60.20, 81.30, 88.20, 47.17),
        "this paper (AAAI 2024)": (63.40, 83.30, 90.30, 49.28),
        "RDE (CVPR 2024)": (65.35, NAN, NAN, 50.88),
        "ITSELF (WACV 2026)": (67.30, NAN, NAN, 53.05),
    },
}
