"""Training: configuration, pure step, host loop, record."""

from qjax.train.config import TrainingConfig
from qjax.train.observers import Chunk, Observer, SplitEvaluation
from qjax.train.presets import PRESETS, preset
from qjax.train.result import Result, summary
from qjax.train.run import train
from qjax.train.step import StepInfo, TrainState, init_state, make_step, scan_steps

__all__ = [
    "PRESETS",
    "Chunk",
    "Observer",
    "Result",
    "SplitEvaluation",
    "StepInfo",
    "TrainState",
    "TrainingConfig",
    "init_state",
    "make_step",
    "preset",
    "scan_steps",
    "summary",
    "train",
]
