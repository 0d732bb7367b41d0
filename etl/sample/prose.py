"""Headlines, sentences and bodies in the language of each row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc

from etl.sample import values
from etl.sample.draw import Whole
from etl.sample.rows import Rows
from etl.sample.values import Column
from etl.sample.vocabulary.headlines import LANGUAGES

_WEIGHTS = [language.weight for language in LANGUAGES]
_CODES = values.words([language.code for language in LANGUAGES])
_SEPARATORS = values.words([language.separator for language in LANGUAGES])


class _Phrases:
    """The phrases of all languages in one vocabulary, so that a column of mixed languages is one lookup."""

    def __init__(self, by_language: Sequence[Sequence[str]]) -> None:
        sizes = [len(phrases) for phrases in by_language]
        self.sizes = np.array(sizes)
        self.offsets = np.cumsum([0, *sizes[:-1]])
        self.vocabulary = values.words([phrase for phrases in by_language for phrase in phrases])

    def choose(self, rows: Rows, column: str, languages: Whole) -> Column:
        within = (rows.uniform(column) * self.sizes[languages]).astype(np.int64)
        return values.take(self.vocabulary, self.offsets[languages] + within)


_SUBJECTS = _Phrases([language.subjects for language in LANGUAGES])
_PREDICATES = _Phrases([language.predicates for language in LANGUAGES])
_TAILS = _Phrases([language.tails for language in LANGUAGES])
_SENTENCES = _Phrases([language.sentences for language in LANGUAGES])


def draw_languages(rows: Rows) -> Whole:
    """Positions in LANGUAGES, by their share of the company's output."""
    return rows.weighted("language", _WEIGHTS)


def language_codes(languages: Whole) -> Column:
    return values.take(_CODES, languages)


def headlines(rows: Rows, column: str, languages: Whole) -> Column:
    separator = values.take(_SEPARATORS, languages)
    parts = [phrases.choose(rows, f"{column}/{name}", languages) for name, phrases in _HEADLINE_PARTS.items()]
    return pc.utf8_trim_whitespace(values.join(parts[0], separator, parts[1], separator, parts[2]))


def sentence(rows: Rows, column: str, languages: Whole) -> Column:
    return _SENTENCES.choose(rows, column, languages)


def paragraphs(rows: Rows, column: str, languages: Whole, sentences: int) -> Column:
    """A body of two paragraphs with `sentences` sentences each."""
    separator = values.take(_SEPARATORS, languages)
    parts: list[str | Column] = []
    for number in range(2 * sentences):
        parts.append(_SENTENCES.choose(rows, f"{column}/{number}", languages))
        parts.append("\n\n" if number == sentences - 1 else separator)
    return pc.utf8_trim_whitespace(values.join(*parts))


_HEADLINE_PARTS = {"subject": _SUBJECTS, "predicate": _PREDICATES, "tail": _TAILS}
