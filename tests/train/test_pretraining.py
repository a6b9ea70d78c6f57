"""How the bundled models come about: what a stage of it must leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tireid.model import TIReID
from tireid.train.pretraining import ground

SMALL = ["sampler.batch_size=16", "training.max_steps=2"]


@pytest.mark.slow
def test_grounding_leaves_the_towers_as_they_are_to_the_bit(tmp_path: Path) -> None:
    before = TIReID.from_pretrained("tiny-street")
    after = ground("tiny-street", tmp_path, people=12, epochs=1, overrides=SMALL)
    weights = after.state_dict()
    same = {name for name, weight in before.state_dict().items() if torch.equal(weight, weights[name])}
    assert {name for name in weights if name.startswith("backbone.")} <= same
    learnt = {name for name, _ in after.named_parameters() if not name.startswith("backbone.")}
    assert len(learnt - same) > len(learnt) / 2
    assert (after.config, after.domain is None) == (before.config, before.domain is None)
