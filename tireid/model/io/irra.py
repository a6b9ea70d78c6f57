"""IRRA (CVPR 2023) and its descendants RDE (CVPR 2024) and TBPS-CLIP (AAAI 2024): CLIP's towers, and heads beside them.

IRRA and RDE put `base_model.` before the towers, TBPS-CLIP `encode_text.` before the text tower alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from tireid.model.io.openai import NOT_WEIGHTS, infer_config, rename
from tireid.model.io.parts import Weights

HEADS = {
    "cross_attn.": "interaction.cross_attn.",
    "cross_modal_transformer.resblocks.": "interaction.resblocks.",
    "ln_pre_t.": "interaction.ln_pre_t.",
    "ln_pre_i.": "interaction.ln_pre_i.",
    "ln_post.": "interaction.ln_post.",
    "mlm_head.": "mlm_head.",
    "classifier.": "classifier.",
}
BASE, TEXT = "base_model.", "encode_text."
SELECTION = ("visul_emb_layer.", "texual_emb_layer.")
IRRA_GRIDS = {192: (24, 8)}
"""384 x 128 pixels in patches of 16: the size of the released files."""
TBPS_GRIDS = {196: (14, 14), 192: (24, 8)}
RDE_NOTE = (
    "RDE scores the mean of two branches; the global one is used here, its token selection is not, so figures differ "
    "from RDE's published ones and compare with its row BGE"
)
TBPS_NOTE = "TBPS-CLIP's towers score as there; its self-supervised projection is used in training only"


def is_irra(names: Iterable[str]) -> bool:
    """Whether the keys are of IRRA or RDE."""
    return any(name.startswith(BASE) for name in names)


def is_tbps(names: Iterable[str]) -> bool:
    """Whether the keys are of TBPS-CLIP."""
    return any(name.startswith(TEXT) for name in names)


def read(state: Mapping[str, Tensor], path: Path) -> Weights:
    """IRRA's file, or RDE's, which has token selection in place of the heads."""
    rde = any(name.startswith(SELECTION) for name in state)
    config = infer_config(
        {name.removeprefix(BASE): value for name, value in state.items() if name.startswith(BASE)}, path
    )
    weights = Weights("RDE" if rde else "IRRA", config, "tal" if rde else "irra", known_grids=IRRA_GRIDS)
    weights.notes = (RDE_NOTE,) if rde else ()
    return _sorted_in(weights, state, BASE)


def read_tbps(state: Mapping[str, Tensor], path: Path) -> Weights:
    """TBPS-CLIP's file; with masked language modelling it has IRRA's heads."""
    inner = {name.removeprefix(TEXT): value for name, value in state.items() if not name.startswith(tuple(HEADS))}
    preset = "irra" if any(name.startswith("mlm_head.") for name in state) else "clip"
    weights = Weights("TBPS-CLIP", infer_config(inner, path), preset, known_grids=TBPS_GRIDS, notes=(TBPS_NOTE,))
    return _sorted_in(weights, state, TEXT)


def _sorted_in(weights: Weights, state: Mapping[str, Tensor], prefix: str) -> Weights:
    """Towers, heads and the rest."""
    for name, value in state.items():
        head = next((known for known in HEADS if name.startswith(known)), None)
        inner = name.removeprefix(prefix)
        tower = name.startswith(prefix) or (prefix == TEXT and name.startswith("visual."))
        if head is not None:
            weights.heads[HEADS[head] + name.removeprefix(head)] = value
        elif tower and (renamed := rename(inner, value)):
            weights.towers |= renamed
        elif inner not in NOT_WEIGHTS:
            weights.unused.append(name)
    return weights
