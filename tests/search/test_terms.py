"""Terms: the same as said in Python, for all characters at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flex.search.terms import gram_terms, letters, word_terms
from flex.search.text import normalised, stem, unmarked, words

FACTOR = 0x9E3779B1
TEXTS = st.text() | st.text("aeingds EINGDS²½…ﬁ΅ŉée\u0301ΣσѮ中ᄀ\u1161_^${}\\ \u3000\u2028-.,≤", max_size=60)


def hashed(letters: str) -> int:
    return sum(ord(letter) * FACTOR ** (place + 1) for place, letter in enumerate(letters)) % 2**32


@given(TEXTS)
def test_letters_are_the_normalised_text(text: str):
    assert letters(text).tolist() == [ord(letter) for letter in normalised(text)]


@given(st.lists(TEXTS, max_size=4))
def test_words_are_hashed_by_their_stems(texts: list[str]):
    expected = [[hashed(stem(word)) for word in words(normalised(text))] for text in texts]
    assert [terms.tolist() for terms in word_terms([letters(text) for text in texts])] == expected


@given(TEXTS)
def test_grams_run_over_the_text_without_white_space_and_markup(text: str):
    plain = unmarked(normalised(text))
    grams = [plain[place : place + 4] for place in range(len(plain) - 3)]
    expected = [(((ord(a) * FACTOR + ord(b)) * FACTOR + ord(c)) * FACTOR + ord(d)) % 2**32 for a, b, c, d in grams]
    assert gram_terms(letters(text), 4).tolist() == expected


@pytest.mark.parametrize("text", ["", " ", "$", "abc", "\udc80"])
def test_a_short_text_has_no_grams(text: str):
    assert gram_terms(letters(text), 4).tolist() == []


def test_a_very_long_word_is_a_word():
    assert [len(terms) for terms in word_terms([letters("a" * 600_000 + " b"), letters("c"), letters("")])] == [2, 1, 0]
