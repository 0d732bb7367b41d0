"""The key of keyed masks, from the environment: as it is, or as the content of a file that it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from etl.config.server_reader import ENVIRONMENT
from etl.errors import Fault

VARIABLE, FILE_VARIABLE = "ETL_MASK_KEY", "ETL_MASK_KEY_FILE"
SHORTEST = 32
"""Characters. Who has a value and its token could find a shorter key by trying."""

HOW = f"set {VARIABLE} ({SHORTEST} characters or more, such as $(openssl rand -hex 32)), or {FILE_VARIABLE}"


def read_mask_key(environ: Mapping[str, str]) -> tuple[SecretStr, list[Fault]]:
    """Empty where none is set."""
    key, named = environ.get(VARIABLE, ""), environ.get(FILE_VARIABLE, "")
    try:
        return SecretStr(_checked(_read(key, named))), []
    except ValueError as error:
        return SecretStr(""), [Fault(ENVIRONMENT, 0, str(error))]


def _read(key: str, named: str) -> str:
    if key and named:
        raise ValueError(f"{VARIABLE} and {FILE_VARIABLE} are both set; keep one of them")
    if not named:
        return key
    try:
        found = Path(named).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise ValueError(f"{FILE_VARIABLE}: expected a file with the key, found {error.strerror} at {named}") from error
    except UnicodeDecodeError:
        raise ValueError(f"{FILE_VARIABLE}: expected text in {named}, found bytes that are no UTF-8") from None
    if not found:
        raise ValueError(f"{FILE_VARIABLE}: expected the key in {named}, found nothing in it")
    return found


def _checked(key: str) -> str:
    """Never shown, not even where it is refused."""
    try:
        key.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the key of masks holds bytes that are no UTF-8; expected text: {HOW}") from None
    if key and len(key) < SHORTEST:
        raise ValueError(f"the key of masks has {len(key)} characters; expected {SHORTEST} or more: {HOW}")
    return key
