"""A browser's token, what the database knows of it, and the second token that goes with every change it asks for."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """256 bits that nobody guesses."""
    return secrets.token_urlsafe(32)


def is_token(text: str) -> bool:
    """Whether it has a token's form."""
    return _TOKEN.fullmatch(text) is not None


class Tokens:
    """`secret`: who can write the database but does not know it cannot make a session. Empty where none is set, which
    loopback alone allows."""

    def __init__(self, secret: str = "") -> None:
        self._key = hashlib.sha256(secret.encode()).digest()

    def digest(self, token: str) -> bytes:
        """What the database keeps; it leads back to no token."""
        return self._keyed("session", token)

    def csrf(self, token: str) -> str:
        """Another site can send a browser's cookie along, but neither read it nor this."""
        return self._keyed("csrf", token).hex()

    def is_csrf(self, token: str, given: str) -> bool:
        return hmac.compare_digest(self.csrf(token).encode(), given.encode())

    def _keyed(self, purpose: str, token: str) -> bytes:
        return hmac.digest(self._key, f"{purpose}:{token}".encode(), "sha256")
