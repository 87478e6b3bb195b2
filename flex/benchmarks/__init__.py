"""The benchmarks, one file each, looked up by the file's name."""

import importlib
import pkgutil

from flex.benchmarks.base import Benchmark
from flex.errors import BenchmarkError

__all__ = ["Benchmark", "benchmark_names", "get_benchmark"]


def benchmark_names() -> tuple[str, ...]:
    """Every benchmark there is: the modules of this package, but for `base` and its folders."""
    return tuple(
        sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "base" and not module.ispkg)
    )


def get_benchmark(name: str) -> Benchmark:
    """What `flex/benchmarks/<name>.py` defines as `benchmark`. Raises BenchmarkError."""
    if name not in benchmark_names():
        raise BenchmarkError(f"unknown benchmark '{name}'; choose from {', '.join(benchmark_names())}")
    benchmark = getattr(importlib.import_module(f"flex.benchmarks.{name}"), "benchmark", None)
    if not isinstance(benchmark, Benchmark) or benchmark.name != name:
        raise BenchmarkError(f"flex/benchmarks/{name}.py has to define `benchmark`, a Benchmark of the name '{name}'")
    return benchmark
