"""From a typed configuration to a finished folder: train, evaluate, compare.

    learned = await train(TrainRun(benchmark="retro", model="my-model", save_to="exps/mine.json"))
    result = await evaluate(EvalRun(benchmark="retro", model="my-model", library="exps/mine.json"))

They do all that `flex train`, `flex eval`, `flex aa` and `flex compare` do, which only parse, show and print.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flex.runs.aa_run import AAResult as AAResult
    from flex.runs.aa_run import aa as aa
    from flex.runs.comparison import Comparison as Comparison
    from flex.runs.comparison import compare as compare
    from flex.runs.config import Budget as Budget
    from flex.runs.config import EndpointConfig as EndpointConfig
    from flex.runs.config import EvalRun as EvalRun
    from flex.runs.config import TrainRun as TrainRun
    from flex.runs.eval_run import EvalResult as EvalResult
    from flex.runs.eval_run import evaluate as evaluate
    from flex.runs.train_run import TrainResult as TrainResult
    from flex.runs.train_run import train as train

_MODULES = {
    "aa_run": ("AAResult", "aa"),
    "config": ("Budget", "EndpointConfig", "EvalRun", "TrainRun"),
    "comparison": ("Comparison", "compare"),
    "eval_run": ("EvalResult", "evaluate"),
    "train_run": ("TrainResult", "train"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'flex.runs' has no attribute '{name}'")
    return getattr(importlib.import_module(f"flex.runs.{_HOMES[name]}"), name)
