"""Keeps secrets out of whatever is written down: logs, errors, the ledger, reports.

Secrets that are known are masked wherever they stand; others where their surroundings give them away (a URL's
password, `password=…`, an access key). All of it passes here, so here it becomes text that UTF-8 can hold, too.
Standard library only, so that every room can use it.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

from etl.names import readable

MASK = "***"

SHORTEST_SECRET = 4
"""Masking a shorter one wherever it stands would garble the text and give it away by the gaps."""

_SECRETIVE = (
    r"(?:(?:pass(?:word|wd|phrase)|pwd|secret|access[_.-]?key|api[_.-]?key|private[_.-]?key|[_.-]token|clickhouse-key"
    r"|amz-signature|amz-credential)(?:[_.-]?(?:key|id|value))*)"
)
"""How the name of a secret ends: `password_resets` is a table."""

_SECRET_KEY = re.compile(rf"{_SECRETIVE}$|^token$|^authorization$", re.IGNORECASE)

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # scheme://user:password@host, also where the password holds an unescaped @
    (re.compile(r"(://[^\s:/@'\"]*):[^\s/'\"]+@"), rf"\1:{MASK}@"),
    (re.compile(r"(\bauthorization['\"]?\s*[:=]\s*)[^\r\n]+", re.IGNORECASE), rf"\1{MASK}"),
    # name=value, "name": "value", fs.s3a.secret.key=value, X-Amz-Signature=value
    (
        re.compile(
            # from where the name begins: tried from each of its letters, a line of 64 KiB would take minutes
            rf"((?<![\w.-])[\w.-]*{_SECRETIVE}['\"]?\s*[=:]\s*)('[^']*'|\"[^\"]*\"|[^\s&;,)}}'\"]+)",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    # SQL: CREATE ROLE … PASSWORD '…'
    (re.compile(r"(\bpassword\s+)'[^']*'", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without secrets: the given ones (raw and URL-encoded), and whatever looks like one."""
    text = readable(text)
    known = _known_pattern(frozenset(secrets))
    if known is not None:
        text = known.sub(MASK, text)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact_value(value: Any, secrets: Iterable[str] = ()) -> Any:
    """The same for nested values on their way into JSON: a text under a secret's name is masked whole, and what JSON
    has no form for (paths, instants, exceptions) becomes text first, so that nothing slips through as an object."""
    known = frozenset(secrets)
    if isinstance(value, Mapping):
        return {readable(str(key)): _redact_entry(str(key), entry, known) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(entry, known) for entry in value]
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return redact(str(value), known)


def _redact_entry(key: str, value: Any, secrets: frozenset[str]) -> Any:
    is_set = value is not None and value != ""
    is_text_like = not isinstance(value, bool | int | float | Mapping | list | tuple)
    return MASK if is_set and is_text_like and _SECRET_KEY.search(key) else redact_value(value, secrets)


def secrets_in(url: str) -> tuple[str, ...]:
    """Of a URL any part of which may hold a secret, as a webhook's does: itself, its password, and of its other parts
    those that no one would take for a word. Words would be masked wherever a log has them."""
    split = urlsplit(url)
    user, _, host = split.netloc.rpartition("@")
    options = [option.partition("=")[2] for option in split.query.split("&")]
    written = [user.partition(":")[0], *([] if "." in host else [host]), *split.path.split("/"), *options]
    parts = [unquote(part) for part in written]
    unlike_words = [part for part in parts if len(part) >= 16 or (len(part) >= 8 and re.search(r"\d", part))]
    return tuple(dict.fromkeys(filter(None, [url, unquote(user.partition(":")[2]), *unlike_words])))


@lru_cache(maxsize=8)
def _known_pattern(secrets: frozenset[str]) -> re.Pattern[str] | None:
    forms = {
        form
        for secret in secrets
        if len(secret) >= SHORTEST_SECRET
        for form in (readable(secret), quote(os.fsencode(secret), safe=""), quote_plus(os.fsencode(secret)))
    }
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
