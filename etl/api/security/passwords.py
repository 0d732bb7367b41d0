"""Passwords as Argon2id hashes; checking one takes as long for a user that there is not."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from etl.errors import UsageError

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1000

_HASHER = PasswordHasher()
# of a password that nobody has: it was made and thrown away
_OF_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$hVlkfl4fbTLb0bIeqo4bDg$dJtNOXeZQXxpTzMvoYu6EGN7YxNbSEGTqP3TOsUkn0Y"


def hashed(password: str) -> str:
    return _HASHER.hash(password)


def is_right(password: str, password_hash: str | None) -> bool:
    """None: of a user that there is not."""
    try:
        _HASHER.verify(password_hash or _OF_NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Whether it was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)


def check_strength(password: str, name: str) -> None:
    """Length is what counts; no rules of signs and digits."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise UsageError(
            f"expected a password of {SHORTEST_PASSWORD} to {LONGEST_PASSWORD:,} characters, found {len(password)}"
        )
    if name.casefold() in password.casefold() and len(password) < 2 * SHORTEST_PASSWORD:
        raise UsageError("the password holds the user's name; choose another one")
    if len(set(password)) < 5:
        raise UsageError("the password has fewer than five different characters; choose another one")
