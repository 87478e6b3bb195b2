"""Replies that only repeat their prompt are told from those that use its words."""

import pytest

from flex.echo import Wording, is_copy
from flex.errors import ParseError
from flex.explib import ExpLib
from flex.files.paths import shipped
from flex.library.entry import texts_of
from flex.prompt import Prompts

INSTRUCTIONS = """Check that every heavy atom of the product comes from a reactant. Write a rule as "When ..., do ...,
because ...". In golden entries stand the rules that are to be followed, and in warnings those from failed attempts."""
EXAMPLE = """Example:
The recurrence is set up correctly. The step "so the two events are independent" is not justified: both depend on the
first draw. List all sequences for three draws and compare.
<next_step>continue</next_step>

What follows is the problem."""
FENCED = """```json
{"method": "Applies when ... First ... Then ... Check ...", "rules": [{"rule": "When a condition says 'at least one',
count the complement first, because it usually is a single case.", "examples": ["26^4 - 25^4"]}],
"revised_trajectory": "<the first step> <comments><why it was chosen></comments>"}
```"""
WORDING = Wording.of([f"{INSTRUCTIONS}\n\n{EXAMPLE}", FENCED])


@pytest.mark.parametrize(
    "text",
    [
        "so the two events are independent",
        'The step "so the two events are independent" is not justified: both depend on the first draw.',
        "Good start. The step so the two events are independent is not proven: both depend on the wage.",
        "When a condition says “at least one”, count the complement first, because it usually is a single case.",
        "When a condition says at least one, count the opposite first, since it usually is a single case.",
        "Applies when ... First ... Then ... Check ...",
        "Applies when… First… Then… Check…",
        "When ..., do ..., because ...",
        "The wage is 12 an hour. <comments><why  it was\nChosen></comments>",
        "<The first step>",
        "<The very first step>",
        "It has in golden entries the rules that are to be followed, and in warnings those from failed attempts.",
        "Of warnings: that every heavy atom of the product comes from a reactant; the rules that are to be followed.",
    ],
)
def test_a_copy_is_told_and_quoted(text):
    with pytest.raises(ParseError, match=r"^it copies its prompt: '.+' only shows the form") as refused:
        WORDING.refuse_copies(["Sound.", text])
    assert is_copy(str(refused.value))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "...",
        "Sound.",
        "golden",
        "42",
        "Not every heavy atom of the product comes from a reactant.",
        "The sum 1 + 2 + ... + n is n(n+1)/2; the attempt stops at n - 1.",
        "The two events are not independent here: the second ball is drawn without replacement.",
        "When a product has an ester, cut the acyl bond first, because it usually is made last.",
        "If 0 < a < b and c > d, then the first step holds; if a <b and c> d, it does not.",
        "In warnings stand those from failed attempts.",
        "CC(=O)Oc1ccccc1 <- CC(=O)Cl.Oc1ccccc1",
        "<answer>7</answer> was read where <b>70</b> was meant.",
    ],
)
def test_words_of_one_s_own_are_no_copy(text):
    assert WORDING.copied(text) is None


def test_what_a_prompt_was_filled_with_may_be_quoted(tmp_path):
    mine = tmp_path / "verifier.txt"
    mine.write_text("Judge it.\nExample: {{ question }}\n<next_step>end</next_step>\n")
    prompts = Prompts(overrides={"verifier": mine})
    prompts.refuse_copies("verifier", "How many balls are left in the urn when seven were drawn from it?")


LIBRARIES = [shipped("exps/retro_demo.json"), *sorted((shipped("exps").parents[1] / "shared" / "exps").glob("*.json"))]


@pytest.mark.parametrize("path", LIBRARIES, ids=lambda path: path.stem)
def test_nothing_that_was_published_is_taken_for_a_copy_of_our_prompts(path):
    texts = [text for entry in ExpLib(path) for text in texts_of(entry)]
    for family in ("default", "retro", "protein"):
        for name in ("verifier", "critic_solved", "critic_failed", "critic_contrast", "updater", "updater_consolidate"):
            Prompts(family).refuse_copies(name, *texts)
