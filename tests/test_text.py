"""A text on one line, as a terminal may be given it, and as UTF-8 can hold it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flex.text import for_terminal, one_line, valid_utf8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("  two\n\twords ", "two words"),
        ("exactly 12.", "exactly 12."),
        ("one more than that", "one more ..."),
        ("\x1b[31mred", " [31mred"),
        ("half \ud83d", "half  "),
    ],
)
def test_one_line_is_short_and_harmless(text: str, expected: str):
    assert one_line(text, 12) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain", "plain"), ("\ufeffé", "\ufeffé"), ("\ud83d\ude00", "\U0001f600"), ("a \ud83d!", "a \ufffd!")],
)
def test_a_pair_of_surrogates_is_a_character_and_half_of_one_is_replaced(text: str, expected: str):
    assert valid_utf8(text) == expected


@given(st.text(st.characters(blacklist_categories=())))
def test_what_utf8_can_hold_stays_as_it_is(text: str):
    valid = valid_utf8(text)
    assert valid.encode().decode() == valid == valid_utf8(valid)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone\x07", "\\x1b[2Jgone\\x07"),
        ("\x9b31mred", "\\x9b31mred"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("safe\u202efdp.exe", "safe\\u202efdp.exe"),
        ("over\rwritten\b", "over\\x0dwritten\\x08"),
        ("a\tline\nand é, 漢, \U0001f600", "a\tline\nand é, 漢, \U0001f600"),
    ],
)
def test_a_terminal_is_given_nothing_that_it_would_obey(text: str, shown: str):
    assert for_terminal(text) == shown
