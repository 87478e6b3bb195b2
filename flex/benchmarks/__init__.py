"""The benchmarks, one file each, looked up by the file's name."""

import importlib
import pkgutil

from flex.benchmarks.base import Benchmark
from flex.errors import BenchmarkError

__all__ = ["Benchmark", "benchmark_names", "get_benchmark"]


def benchmark_names() -> tuple[str, ...]:
    """Every benchmark there is: the modules of this package, `base` aside."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "base"))


def get_benchmark(name: str) -> Benchmark:
    """The benchmark in `flex/benchmarks/<name>.py`, which defines `benchmark`. Raises BenchmarkError."""
    if name not in benchmark_names():
        raise BenchmarkError(f"unknown benchmark '{name}'; choose from {', '.join(benchmark_names())}")
    benchmark: Benchmark = importlib.import_module(f"flex.benchmarks.{name}").benchmark
    return benchmark
