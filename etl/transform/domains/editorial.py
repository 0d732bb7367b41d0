"""Articles: a slug in any script, and how long they take to read."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from etl.config.frozen import FrozenModel
from etl.transform.draft import Draft, column_of

_ACCENTED = "àáâãäåāăąçćčďđèéêëēėęěğìíîïīįıłñńňòóôõöøōőřśšşșťţțùúûüūůűųýÿźżž"
_PLAIN = "aaaaaaaaacccddeeeeeeeegiiiiiiilnnnoooooooorsssstttuuuuuuuuyyzzz"
_LIGATURES = {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
_NO_WORD = r"[^\p{L}\p{M}\p{N}]+"
# Scripts that put no space between words: their characters are counted
_CHARACTERS = r"[\p{IsHan}\p{IsHiragana}\p{IsKatakana}\p{IsThai}]"


class ArticleText(FrozenModel):
    """Adds `slug` (from `title`) and `reading_minutes` (from `word_count`, or from `body` where it is NULL).

    Latin letters lose their accents, other scripts keep their letters: `人工智能` is a fine slug. A title without any
    falls back to `slug_prefix` and the key. Slugs are no key: two articles may share one.
    """

    title: str | None = "title"
    body: str | None = "body"
    word_count: str | None = "word_count"
    key: str = "article_id"
    slug_prefix: str = "article-"
    slug_length: int = 120
    words_per_minute: int = 230
    characters_per_minute: int = 400

    def __call__(self, draft: Draft) -> Draft:
        columns = {"reading_minutes": self._reading_minutes()}
        if self.title is not None:
            columns["slug"] = self._slug(column_of(self.title))
        return draft.retyped(columns)

    def _slug(self, title: Column) -> Column:
        # one dot above the i is left of a Turkish capital once it is lower
        lower = F.regexp_replace(F.lower(title), "\u0307", "")
        for ligature, letters in _LIGATURES.items():
            lower = F.replace(lower, F.lit(ligature), F.lit(letters))
        words = F.regexp_replace(F.translate(lower, _ACCENTED, _PLAIN), _NO_WORD, "-")
        slug = F.btrim(self._shortened(F.btrim(words, F.lit("-"))), F.lit("-"))
        return F.when(slug != "", slug).otherwise(F.concat(F.lit(self.slug_prefix), column_of(self.key).cast("string")))

    def _shortened(self, slug: Column) -> Column:
        """At a word's end where one is near."""
        whole_words = F.regexp_extract(slug, rf"^(.{{1,{self.slug_length}}})(-|$)", 1)
        cut = F.when(whole_words != "", whole_words).otherwise(F.left(slug, F.lit(self.slug_length)))
        return F.when(F.char_length(slug) <= self.slug_length, slug).otherwise(cut)

    def _reading_minutes(self) -> Column:
        """Begun minutes count; NULL where nothing is known."""
        estimates = []
        if self.word_count is not None:
            estimates.append(column_of(self.word_count) / F.lit(self.words_per_minute))
        if self.body is not None:
            body = column_of(self.body)
            characters = F.regexp_count(body, F.lit(_CHARACTERS))
            words = F.regexp_count(F.regexp_replace(body, _CHARACTERS, " "), F.lit(r"[\p{L}\p{N}][^\s]*"))
            estimates.append(words / F.lit(self.words_per_minute) + characters / F.lit(self.characters_per_minute))
        return F.ceil(F.coalesce(F.lit(None).cast("double"), *estimates)).cast("int")
