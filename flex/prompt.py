"""Find a prompt file and render it strictly: an unknown variable is an error, not an empty string."""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
import jinja2.nodes

from flex.echo import Wording
from flex.errors import PromptError
from flex.files.paths import shipped

_ENVIRONMENT = jinja2.Environment(
    undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
)


class Prompts:
    """The prompts of one benchmark family; `overrides` maps a prompt's name to a file of the user's."""

    def __init__(self, family: str = "default", overrides: Mapping[str, str | Path | None] | None = None) -> None:
        self.family = family
        self.overrides = {name: Path(path) for name, path in (overrides or {}).items() if path}
        self._texts: dict[str, str] = {}
        self._templates: dict[str, jinja2.Template] = {}
        self._wordings: dict[str, Wording] = {}

    def path(self, name: str) -> Path:
        """The file for `name`: the override, `name_family.txt`, `name_default.txt` or `name.txt`, first that exists."""
        return self._existing(name, [self.overrides[name]]) if name in self.overrides else self._shipped(name)

    def text(self, name: str) -> str:
        """The template itself, unrendered; read once, so that a run sees one version of it."""
        if name not in self._texts:
            path = self.path(name)
            try:
                text = path.read_text(encoding="utf-8-sig")
            except UnicodeDecodeError as error:
                raise PromptError(f"prompt '{name}': {path} is not UTF-8 text ({error.reason})") from error
            except OSError as error:
                raise PromptError(f"prompt '{name}' cannot be read: {error}") from error
            if not text.strip():
                raise PromptError(f"prompt '{name}': {path} is empty")
            self._texts[name] = text
        return self._texts[name]

    def render(self, name: str, **variables: Any) -> str:
        """The prompt as a model sees it. Raises PromptError for a broken template or an unknown variable."""
        try:
            if name not in self._templates:
                self._templates[name] = _ENVIRONMENT.from_string(self.text(name))
            return self._templates[name].render(variables).strip()
        except jinja2.TemplateError as error:
            known = ", ".join(sorted(variables)) or "none"
            raise PromptError(f"prompt {self.path(name)}: {error}; it may use: {known}") from error

    def refuse_copies(self, name: str, *texts: str) -> None:
        """Raises ParseError when a text of a reply to prompt `name` repeats what the prompt says itself."""
        if name not in self._wordings:
            pieces = _ENVIRONMENT.parse(self.text(name)).find_all(jinja2.nodes.TemplateData)
            self._wordings[name] = Wording.of([piece.data for piece in pieces])
        self._wordings[name].refuse_copies(texts)

    def checked(self, names: Collection[str]) -> dict[str, str]:
        """The prompts' sha256 by name. Raises PromptError if one could not be rendered, before anything is paid for."""
        for name in names:
            try:
                used = _variables(self.text(name))
            except jinja2.TemplateError as error:
                raise PromptError(f"prompt {self.path(name)} is not a template: {error}") from error
            known = _variables(self._shipped(name).read_text(encoding="utf-8"))
            if unknown := sorted(used - known):
                may = ", ".join(sorted(known)) or "none"
                raise PromptError(f"prompt {self.path(name)} has an unknown variable '{unknown[0]}'; it may use: {may}")
        return {name: self.sha256(name) for name in names}

    def sha256(self, name: str) -> str:
        """Of the template, for the run's configuration."""
        return hashlib.sha256(self.text(name).encode()).hexdigest()

    def _shipped(self, name: str) -> Path:
        stems = (f"{name}_{self.family}", f"{name}_default", name)
        return self._existing(name, [shipped(f"prompts/{stem}.txt") for stem in stems])

    @staticmethod
    def _existing(name: str, candidates: list[Path]) -> Path:
        for path in candidates:
            if path.is_dir():
                raise PromptError(f"prompt '{name}': {path} is a folder; it has to be a text file")
            if path.exists():
                return path
        raise PromptError(f"no prompt '{name}': {candidates[0]} does not exist")


def _variables(template: str) -> set[str]:
    return jinja2.meta.find_undeclared_variables(_ENVIRONMENT.parse(template))
