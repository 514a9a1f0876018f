"""Words of classes as tables: unseen words carry a sign, and what is not known no number."""

import pytest

from textlrp.class_words import ClassWord, ClassWords
from textlrp.cli.word_tables import word_listings, words_of_classes
from textlrp.errors import DataError


def listings(*words, phrases=()):
    return list(word_listings([ClassWords("med", 1_200, tuple(words), tuple(phrases))]))


def test_words_that_no_training_text_has_carry_a_sign_and_a_note():
    (listing,) = listings(ClassWord("fever", 2.5, 3, 1_100, ("a", "b")), ClassWord("malaise", -1.0, 1, 0, ("c",)))
    assert listing.title == "med: 1,200 texts explained for it"
    assert listing.headings == ("word", "relevance", "texts", "training texts", "most relevant in")
    assert listing.rows == (("fever", "+2.50", "3", "1,100", "a, b"), ("malaise †", "−1.00", "1", "0", "c"))
    assert listing.note.startswith("† in no training text")


def test_what_is_not_known_has_no_column_and_no_sign():
    phrase = ClassWord("a fever", 1.0, 1, None, ("a",))
    seen, phrases = listings(ClassWord("fever", 2.5, 3, 1, ("a",)), phrases=[phrase])
    assert (seen.note, phrases.note) == ("", "")
    assert phrases.title == "med: phrases"
    assert phrases.headings == ("phrase", "relevance", "texts", "most relevant in")
    assert phrases.rows == (("a fever", "+1.00", "1", "a"),)


def test_no_text_is_said():
    from toys import fitted

    with pytest.raises(DataError, match="no text came"):
        words_of_classes(fitted("svm"), [])
