from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from etl.staging.writing import text_array


def unquoted(literal: str) -> list[str]:
    """As PostgreSQL reads an array literal whose elements are all quoted."""
    elements: list[str] = []
    position = 1
    while literal[position] != "}":
        assert literal[position] == '"'
        position += 1
        text = ""
        while literal[position] != '"':
            position += literal[position] == "\\"
            text += literal[position]
            position += 1
        elements.append(text)
        position += 1 + (literal[position + 1] == ",")
    return elements


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_any_texts_come_through_an_array_literal(texts: list[str]) -> None:
    assert unquoted(text_array(texts)) == texts
