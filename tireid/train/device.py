"""What a training runs on: device, precision, memory."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from tireid.basics.extras import extra
from tireid.options import Config
from tireid.train.recipe import computes_in_bfloat16
from tireid.train.run import TrainingError

with extra("train"):
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState


def build_accelerator(config: Config, output_dir: Path, tensorboard: bool = False) -> Accelerator:
    """Device, precision and processes for `config`; raises :class:`TrainingError` if the batch cannot be shared out."""
    precision = config.training.precision
    if precision == "auto":
        precision = "bf16" if computes_in_bfloat16() else "fp32"
    # accelerate shares one state per process; a notebook may train twice, with another precision.
    AcceleratorState._reset_state()
    accelerator = Accelerator(
        # Without it accelerate does not join the processes of a machine that has no accelerator.
        cpu=not torch.accelerator.is_available(),
        mixed_precision="bf16" if precision == "bf16" else "no",
        gradient_accumulation_steps=config.training.accumulate,
        # The schedule counts optimiser steps, whatever the number of processes.
        step_scheduler_with_optimizer=False,
        log_with="tensorboard" if tensorboard else None,
        project_dir=str(output_dir),
    )
    if config.sampler.batch_size % accelerator.num_processes:
        raise TrainingError(
            f"sampler.batch_size ({config.sampler.batch_size}) must be a multiple of the number of processes "
            f"({accelerator.num_processes})"
        )
    return accelerator


def peak_memory_mib() -> float | None:
    """Highest use so far in MiB, of the GPU or else of the process; None where the system does not say."""
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 2**20, 1)
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)
