"""Where the CPU seconds of one step of :mod:`tests.benchmarks.step_costs` go, and what its products alone would take.

``python -m tests.benchmarks.step_profile bf16`` prints the seconds of each kind of operation, their share, and the rate
of the products; below, what the products would take at the rate of one of 2,048 x 2,048 x 2,048 in the same type, which
is what the machine gives at best. The time between operations (Python and autograd) is a row of its own.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from typing import Any

import pandas as pd
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from tests.benchmarks.step_costs import batch, ours, plain
from tireid.search.benchmark import product_rate

KINDS = {
    "attention's kernel": ("_scaled_dot_product", "_softmax"),
    "products": ("mm", "addmm", "bmm", "baddbmm", "convolution"),
    "layer norm": ("native_layer_norm",),
    "activation": ("silu", "sigmoid"),
    "optimizer": ("_fused_adam", "addcdiv_", "addcmul_", "lerp_"),
    "copies and casts": ("_to_copy", "copy_", "cat", "clone", "constant_pad"),
    "new zeros": ("zeros", "new_zeros", "full", "embedding_dense_backward"),
    "by element": ("add", "mul", "sum", "where", "div"),
}
"""Kinds of operations by how their names begin; the first that fits."""


class Costs(TorchDispatchMode):
    """CPU seconds and floating-point operations of everything that runs under it, by operation."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[str, float] = defaultdict(float)
        self.flops: dict[str, int] = defaultdict(int)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        began = time.process_time()
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        self.seconds[name] += time.process_time() - began
        if func.overloadpacket in flop_registry:
            self.flops[name] += flop_registry[func.overloadpacket](*args, **(kwargs or {}), out_val=out)
        return out


def measure(kind: str) -> str:
    """The table of :mod:`tests.benchmarks.step_profile`."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    _, loss, optimizer = plain() if kind == "plain" else ours(kind)
    given = batch()
    for costs in (Costs(), Costs()):  # the first makes Adam's state
        began = time.process_time()
        with costs:
            loss(*given).backward()
            optimizer.step()
            optimizer.zero_grad()
        total = time.process_time() - began
    table = pd.DataFrame({"seconds": costs.seconds, "Gflop": costs.flops}).fillna(0)
    table["Gflop"] /= 1e9
    kinds = table.groupby(kind_of).sum().sort_values("seconds", ascending=False)
    kinds.loc["between operations"] = (total - kinds["seconds"].sum(), 0)
    kinds = kinds.assign(share=kinds["seconds"] / total, rate=kinds["Gflop"] / kinds["seconds"])
    rate = product_rate(torch.bfloat16 if kind == "bf16" else torch.float32, time.process_time) / 1e9
    least = kinds["Gflop"].sum() / rate
    detail = table.sort_values("seconds", ascending=False).head(12)
    return (
        f"{kinds.round(2).to_string()}\n\n{detail.round(2).to_string()}\n\n{kind}: {total:.2f} CPU s; at {rate:.0f} "
        f"Gflop/s, the best of this machine, its products alone take {least:.2f} s"
    )


def kind_of(operation: str) -> str:
    return next((kind for kind, starts in KINDS.items() if operation.startswith(starts)), "other")


if __name__ == "__main__":
    print(measure(sys.argv[1]))
