"""Terms: a number for every stem and every 4-gram."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flex.search.terms import gram_terms, normalised, stem, unmarked, word_terms, words

FACTOR = 0x9E3779B1
TEXTS = st.text() | st.text("aeingds EINGDS²½…ﬁ΅ŉée\u0301ΣσѮ中ᄀ\u1161_^${}\\ \u3000\u2028-.,≤", max_size=60)


@given(TEXTS)
def test_words_are_numbered_by_their_stems(text: str):
    plain = normalised(text)
    stems = [stem(word) for word in words(plain)]
    numbers = word_terms(plain).tolist()
    assert len(numbers) == len(stems)
    assert len(set(zip(numbers, stems, strict=True))) == len(set(stems)) == len(set(numbers))


@given(TEXTS)
def test_grams_run_over_the_text_without_white_space_and_markup(text: str):
    plain = unmarked(normalised(text))
    grams = [plain[place : place + 4] for place in range(len(plain) - 3)]
    expected = [(((ord(a) * FACTOR + ord(b)) * FACTOR + ord(c)) * FACTOR + ord(d)) % 2**32 for a, b, c, d in grams]
    assert gram_terms(normalised(text)).tolist() == expected


@pytest.mark.parametrize("text", ["", " ", "$", "abc", "\udc80"])
def test_a_short_text_has_no_grams(text: str):
    assert gram_terms(text).tolist() == []
