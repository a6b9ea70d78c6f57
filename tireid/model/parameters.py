"""Which learning rate and weight decay every parameter gets."""

from __future__ import annotations

from typing import Any

from torch import nn

from tireid.options import OptimizerConfig

TOWERS = "backbone."


def parameter_groups(model: nn.Module, optimizer: OptimizerConfig) -> list[dict[str, Any]]:
    """Exactly four groups for a torch optimiser, every trainable parameter in one of them.

    - `tower weights`: lr, with weight decay;
    - `tower biases`: lr x bias_lr_factor, without;
    - `head weights`: lr x head_lr_factor, with;
    - `head biases`: lr x head_lr_factor, without.

    With `groups: part`, towers are the parameters under `backbone.` and heads are all others. With `groups: irra` the
    layer norms around the interaction encoder count as towers, and so do its biases: its code raises the rate of what
    has "cross" in its name, sets that of every bias, and raises that of the classifier and the word head again (source:
    IRRA, solver/build.py). In both the weights of layer norms, the embeddings and the position tables decay like any
    weight. A group may be empty. Four groups, not one per parameter, since the fused optimiser runs once per group.

    >>> groups = parameter_groups(nn.Linear(2, 3), OptimizerConfig(lr=1e-4))
    >>> {group["name"]: group["lr"] for group in groups}
    {'tower weights': 0.0001, 'tower biases': 0.0002, 'head weights': 0.0005, 'head biases': 0.0005}
    """
    head = optimizer.lr * optimizer.head_lr_factor
    is_tower = _is_tower_to_irra if optimizer.groups == "irra" else _is_tower
    groups: dict[tuple[bool, bool], dict[str, Any]] = {
        (True, False): _group("tower weights", optimizer.lr, optimizer.weight_decay),
        (True, True): _group("tower biases", optimizer.lr * optimizer.bias_lr_factor, 0.0),
        (False, False): _group("head weights", head, optimizer.weight_decay),
        (False, True): _group("head biases", head, 0.0),
    }
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups[is_tower(name), name.endswith("bias")]["params"].append(parameter)
    return list(groups.values())


def _is_tower(name: str) -> bool:
    return name.startswith(TOWERS)


def _is_tower_to_irra(name: str) -> bool:
    """Whether IRRA gives it a tower's rate: in its names the interaction is `cross_*`, and `ln_*` around it."""
    return name.startswith((TOWERS, "interaction.ln_")) or (name.startswith("interaction.") and name.endswith("bias"))


def _group(name: str, lr: float, weight_decay: float) -> dict[str, Any]:
    return {"name": name, "params": [], "lr": lr, "weight_decay": weight_decay}
