"""A run in the file format of another tool: inspect-ai's `.eval` log, one for each setting."""

import hashlib
import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flex.errors import SettingsError
from flex.evaluation.folder import Run, SettingRun, read_run
from flex.evaluation.results import Result
from flex.files.clock import now
from flex.files.jsonlines import to_jsonable
from flex.text import valid_utf8
from flex.types import Attempt, Usage

SCORER = "flex"


def export_inspect(folder: str | Path, path: str | Path) -> list[Path]:
    """Write the run in a folder as inspect-ai logs, and return their paths.

    One setting goes to `path`, several to `path` with the setting's name before its suffix. Raises SettingsError when
    inspect-ai is not installed or `path` is not named `.eval`, and RunError for a folder that holds no results.
    """
    path = Path(path)
    if path.suffix != ".eval":
        raise SettingsError(f"{path}: the file has to end in .eval, inspect-ai tells its logs by that")
    log = _inspect("log")
    run = read_run(folder)
    written = []
    for setting in run.settings:
        target = path if len(run.settings) == 1 else path.with_name(f"{path.stem}-{setting.name}.eval")
        target.parent.mkdir(parents=True, exist_ok=True)
        log.write_eval_log(inspect_log(run, setting), str(target), format="eval")
        written.append(target)
    return written


def inspect_log(run: Run, setting: SettingRun) -> Any:
    """One setting as an `inspect_ai.log.EvalLog`; repeats are its epochs, failed answers samples with an error."""
    log, summary, config = _inspect("log"), setting.summary, setting.config
    model = valid_utf8(summary.model or run.model or "unknown")
    benchmark = valid_utf8(run.benchmark or "flex")
    created = str(config.get("created_at") or now())
    rows = sorted(setting.rows, key=lambda row: (row.index, row.task_id, row.repeat))
    tasks = list(dict.fromkeys(valid_utf8(row.task_id) for row in rows))
    spec = log.EvalSpec(
        **_ids(setting, created),
        created=created,
        task=f"{benchmark}-{valid_utf8(setting.name)}",
        solver=valid_utf8(setting.name),
        model=model,
        dataset=log.EvalDataset(name=benchmark, samples=len(tasks), sample_ids=tasks),
        config=log.EvalConfig(epochs=max(1, summary.repeats)),
        metadata=_clean(config),
        packages={str(name): str(version) for name, version in dict(config.get("versions") or {}).items()},
    )
    return log.EvalLog(
        status="success",
        eval=spec,
        plan=log.EvalPlan(steps=[log.EvalPlanStep(solver=valid_utf8(setting.name))]),
        results=_results(setting),
        stats=log.EvalStats(started_at=created, model_usage={model: _usage(summary.usage)}),
        samples=[_sample(row, setting.trace(row), model, summary.graded) for row in rows],
    )


def _results(setting: SettingRun) -> Any:
    log, s = _inspect("log"), setting.summary
    numbers = {"accuracy": s.accuracy, "low": s.low, "high": s.high, "mean_score": s.mean_score, **s.metrics}
    return log.EvalResults(
        total_samples=len(setting.rows),
        completed_samples=len(setting.rows) - s.failed - s.unanswered,
        scores=[
            log.EvalScore(
                name=SCORER,
                scorer=SCORER,
                metrics={
                    valid_utf8(name): log.EvalMetric(name=valid_utf8(name), value=value)
                    for name, value in numbers.items()
                    if value is not None and math.isfinite(value)
                },
            )
        ],
    )


def _sample(row: Result, trace: Attempt, model: str, graded: bool) -> Any:
    log, models, scorer = _inspect("log"), _inspect("model"), _inspect("scorer")
    value = row.score if graded else "C" if row.correct else "I"
    usage = _usage(row.usage)
    details = {"hits": row.hits, "hidden": row.hidden, "metrics": row.metrics, "usage_by_role": row.usage_by_role}
    ended = {"finish_reason": row.finish_reason, "unanswered": row.unanswered}
    return log.EvalSample(
        id=valid_utf8(row.task_id),
        epoch=row.repeat + 1,
        input=valid_utf8(row.question),
        target=valid_utf8(row.target),
        messages=_messages(row, trace),
        output=models.ModelOutput.from_content(
            model, valid_utf8(row.reply), error=valid_utf8(row.error) if row.error else None
        ),
        scores={SCORER: scorer.Score(value=value, answer=None if row.answer is None else valid_utf8(row.answer))},
        metadata=_clean({"index": row.index, **details, "retrievals": trace.retrievals, **ended}),
        model_usage={model: usage},
        total_time=row.seconds,
        error=log.EvalError(message=valid_utf8(row.error), traceback="", traceback_ansi="") if row.error else None,
    )


def _messages(row: Result, trace: Attempt) -> list[Any]:
    """Question, the agent's steps with what came back, reply."""
    models = _inspect("model")
    messages = [models.ChatMessageUser(content=valid_utf8(row.question))]
    for step in trace.steps:
        messages.append(models.ChatMessageAssistant(content=valid_utf8(str(step.get("output") or ""))))
        if seen := "\n".join(str(step[key]) for key in ("observation", "error") if step.get(key)):
            messages.append(models.ChatMessageUser(content=valid_utf8(seen)))
    return [*messages, models.ChatMessageAssistant(content=valid_utf8(row.reply))]


def _usage(usage: Usage) -> Any:
    return _inspect("model").ModelUsage(
        input_tokens=usage.prompt_tokens - usage.cached_tokens,  # inspect-ai counts what was cached apart
        output_tokens=usage.completion_tokens,
        total_tokens=usage.tokens,
        input_tokens_cache_read=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
    )


def _ids(setting: SettingRun, created: str) -> dict[str, str]:
    """Of the log: the same for the same run."""
    texts = {"run_id": f"{setting.folder.resolve().parent}{created}", "eval_id": f"{setting.folder.resolve()}{created}"}
    ids = {name: hashlib.sha256(valid_utf8(text).encode()).hexdigest()[:22] for name, text in texts.items()}
    return {**ids, "task_id": ids["eval_id"]}


def _clean(value: Any) -> Any:
    """The value as JSON that a UTF-8 file can hold."""
    value = to_jsonable(value)
    if isinstance(value, str):
        return valid_utf8(value)
    if isinstance(value, dict):
        return {valid_utf8(key): _clean(inner) for key, inner in value.items()}
    return [_clean(inner) for inner in value] if isinstance(value, Sequence) else value


def _inspect(module: str) -> Any:
    """A module of inspect-ai, imported when it is needed: it takes seconds."""
    try:
        return importlib.import_module(f"inspect_ai.{module}")
    except ImportError as error:
        raise SettingsError(
            f"inspect-ai cannot be imported ({error}); install it with: pip install -e '.[inspect]'"
        ) from error
