"""Flags out of the fields of a configuration: names, types, defaults and help stand there, groups and older names here.

The same field is the same flag in every command.
"""

import argparse
import difflib
import inspect
import json
import math
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from flex.cli.command import run_command, show_safely
from flex.errors import SettingsError
from flex.runs.config import body_problem
from flex.runs.fields import AboveZero, FromZero, Natural, Positive, Range, alternatives, field_docs, range_of

T = TypeVar("T")

OLDER = {
    "benchmark": ("task_type",),
    "model": ("llm_model", "actor"),
    "library": ("memory_path", "load_path"),
    "save_to": ("store_path",),
    "out": ("run_dir", "results_dir"),
    "train_samples": ("max_samples",),
    "samples": ("max_samples",),
    "repeats": ("pass_at_n",),
    "settings": ("setting",),
}
"""Names that flags had before, and have in the published scripts; all of them go on working."""
GROUPS = {
    "models": "model models verifier_model critic_model updater_model retriever_model",
    "files": "data_path split train_path library allow_other_library save_to out",
    "how much": "samples train_samples repeats epochs early max_rounds max_rollouts batch_size batch_pause "
    "max_concurrent seed",
    "prompts": "llm_system_prompt verifier_prompt actor_prompt memory_prompt",
}
"""Under which heading of --help a field stands; the others stand first."""


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows a default where there is one, and a flag by its present name."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if isinstance(action, argparse.BooleanOptionalAction):
            return f"{action.help} (default: {'yes' if action.default else 'no'})"
        without = action.default is None or isinstance(action.default, bool)
        return action.help if without else super()._get_help_string(action)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or "-h" in action.option_strings:
            return super()._format_action_invocation(action)
        name = action.option_strings[0]
        if isinstance(action, argparse.BooleanOptionalAction):
            return f"{name}, --no-{name.removeprefix('--')}"
        return name if action.nargs == 0 else f"{name} {self._format_args(action, action.dest.upper())}"


ALL_PAIRS: dict[str, Any] = {"action": "store_true", "help": "show also the comparisons that are not tested"}


class Parser(argparse.ArgumentParser):
    """Takes whole names only, `--max-rounds` for `--max_rounds` and the other way round, and refuses in one line."""

    def __init__(self, prog: str, description: str, example: str = "") -> None:
        super().__init__(prog, description=description, formatter_class=_Help, allow_abbrev=False)
        self.example = example
        self.add_argument("--verbose", action="store_true", help="log what the library does")

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"(--\w+)(/--[\w-]+)+", r"\1", message)  # a flag by its present name only
        unknown = re.match(r"unrecognized arguments: (--[\w-]+)", message)
        alike = difflib.get_close_matches(unknown[1], self._option_string_actions, 1) if unknown else []
        message += f"; did you mean {alike[0]}?" if alike else ""
        self.exit(2, f"error: {' '.join(message.split())} (see --help)\n")

    def parse(self, argv: Sequence[str] | None = None) -> argparse.Namespace:
        """The options. Leaves with 2 and one line when they are wrong."""
        show_safely()
        known = {option.replace("-", "_"): option for action in self._actions for option in action.option_strings}
        words = []
        for word in sys.argv[1:] if argv is None else argv:
            name, equals, value = word.partition("=")
            words.append(known.get(name.replace("-", "_"), name) + equals + value if name.startswith("--") else word)
        return self.parse_args(words)

    def run(self, argv: Sequence[str] | None, work: Callable[[argparse.Namespace], int | None]) -> int:
        """Parse, do the work that the options ask for, and end as every command does; the exit code."""
        options = self.parse(argv)
        return run_command(lambda: work(options), verbose=options.verbose)

    def format_help(self) -> str:
        named = ((a.option_strings[0], {*a.option_strings}) for a in self._actions if a.option_strings)
        wanted = {f"--{name}": [f"--{old}" for old in older] for name, older in OLDER.items()}
        known = {now: [old for old in wanted.get(now, ()) if old in names] for now, names in named}
        older = [f"{', '.join(names)} = {now}" for now, names in known.items() if names]
        lines = [f"example: {self.example}"] if self.example else []
        lines += [f"older names that go on working: {'; '.join(older)}"] if older else []
        self.epilog = "\n".join(lines)
        needed = [a for a in self._actions if a.required or not a.option_strings]
        words = [" ".join([*a.option_strings[:1], self._named(a)]) for a in needed]
        self.usage = " ".join([self.prog, *words, "[flags]"])
        return super().format_help()

    def _named(self, action: argparse.Action) -> str:
        """A value's name in the line of usage, as often as it may be given."""
        name = str(action.metavar or action.dest.upper())
        return f"[{name}]" if action.nargs == "?" else f"{name} ..." if action.nargs in ("+", "*") else name

    def add_config(
        self, kind: type, *, leave_out: Collection[str] = (), defaults: Mapping[str, Any] | None = None
    ) -> None:
        """A flag for every field of a configuration, those of a nested one under a heading of their own.

        `defaults` where a command has others.
        """
        headings = {name: title for title, names in GROUPS.items() for name in names.split()}
        hints, docs = get_type_hints(kind, include_extras=True), field_docs(kind)
        whole = any(is_dataclass(hint) for hint in hints.values())
        own = "" if whole else (inspect.getdoc(kind) or "").rstrip(".")
        for one in fields(kind):
            if is_dataclass(hints[one.name]):
                self.add_config(hints[one.name], defaults=defaults)
            elif one.name not in leave_out:
                group = self._heading(headings.get(one.name, own))
                self._add(group, one, hints[one.name], docs[one.name], defaults or {})

    def _heading(self, title: str) -> argparse._ArgumentGroup:
        """The group of that title, made where there is none; without a title, that of all other flags."""
        there = next((group for group in self._action_groups if group.title == title), None)
        return there or (self.add_argument_group(title) if title else self._optionals)

    def _add(
        self, group: argparse._ArgumentGroup, one: "Field[Any]", hint: Any, doc: str, defaults: Mapping[str, Any]
    ) -> None:
        required = one.default is MISSING and one.default_factory is MISSING and one.name not in defaults
        default = defaults.get(one.name, None if required else one.default)
        more: dict[str, Any] = {"help": doc, "default": default, "required": required}
        if hint is bool:
            more["action"] = argparse.BooleanOptionalAction
        else:
            more |= self._value(one.name, hint)
            if isinstance(default, tuple):
                more["default"] = ",".join(default)
        taken = set(self._option_string_actions)
        names = [f"--{name}" for name in (one.name, *OLDER.get(one.name, ())) if f"--{name}" not in taken]
        group.add_argument(*names, **more)

    def _value(self, name: str, hint: Any) -> dict[str, Any]:
        """How a value is read, and the choices there are."""
        if name == "benchmark":
            from flex.benchmarks import benchmark_names

            return {"choices": benchmark_names()}
        kind = alternatives(hint)[0]
        if get_origin(kind) is Literal:
            return {"choices": get_args(kind)}
        return {"type": reader(kind)}

    def config(self, kind: type[T], options: argparse.Namespace, **values: Any) -> T:
        """The configuration that these options say, with some values given; leaves with 2 when it is none."""
        try:
            return _config(kind, options, values)
        except SettingsError as error:
            self.error(str(error))


def _config(kind: type[T], options: argparse.Namespace, values: Mapping[str, Any]) -> T:
    found: dict[str, Any] = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if name in values:
            found[name] = values[name]
        elif is_dataclass(hint):
            found[name] = _config(hint, options, {})  # type: ignore[arg-type]
        elif name in options:
            found[name] = getattr(options, name)
    return kind(**found)


def reader(kind: Any) -> Callable[[str], Any]:
    """What reads a value of this type from a word of the command line. It raises what argparse shows."""
    if (allowed := range_of(kind)) is not None:
        return lambda text: number(text, get_args(kind)[0], allowed)
    if get_origin(kind) is not None and issubclass(get_origin(kind), Mapping):
        return json_object
    return kind if kind in (str, Path) else str


def number(text: str, kind: type, allowed: Range) -> Any:
    """A number within a range. Raises what argparse shows."""
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not allowed.accepts(value):
        raise argparse.ArgumentTypeError(f"'{text}' is not {allowed.words}")
    return value


def json_object(text: str) -> dict[str, Any]:
    """A JSON object, as in --extra_body '{"top_p": 0.9}'."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"not valid JSON: {error}") from error
    if problem := body_problem(value):
        raise argparse.ArgumentTypeError(problem)
    return dict(value)


positive, natural, from_zero, above_zero = map(reader, (Positive, Natural, FromZero, AboveZero))
"""A whole number from 1, one from 0, a number from 0, and one above, as argparse reads them."""
