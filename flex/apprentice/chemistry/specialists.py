"""Apprentices that differ in what they know and learn, so that handing a library from one to another shows something.

`apprentice` knows nothing, `apprentice-textbook` eight common reactions. `apprentice-acylation` and its like know the
textbook's reactions of one family, and as critics write down templates of that family only. All of them use
every template in their prompt.
"""

from flex.apprentice.chemistry.wording import TEXTBOOK, template_sites


def family(template: str) -> str:
    """What kind of bond or atom of the product a template changes: acylation, unmasking or coupling."""
    sites = template_sites(template)
    if any(part in ("carbonyl", "sulfonyl") for site in sites for part in site.split("_")):
        return "acylation"
    return "unmasking" if all(site.startswith("at_") for site in sites) else "coupling"


def prior(model: str) -> list[str]:
    """The templates that a model knows without having read them."""
    kind = model.removeprefix("apprentice").removeprefix("-")
    return [template for template in TEXTBOOK if kind in ("textbook", family(template))]


def writes_down(model: str, template: str) -> bool:
    """Whether a model, as critic, makes an experience of this template."""
    kind = model.removeprefix("apprentice").removeprefix("-")
    return kind in ("", "textbook", family(template))
