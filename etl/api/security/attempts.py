"""How often somebody may fail to sign in. Counted in this process, by user and by address."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from etl.api.security.refusals import RefusedError
from etl.api.security.tokens import Tokens

# of one user from one address; from one address; of one user from anywhere
_OF_BOTH = RateLimitItemPerMinute(5)
_OF_ADDRESS = RateLimitItemPerMinute(20)
_OF_USER = RateLimitItemPerHour(100)
_PATIENCE_SECONDS = 5


@dataclass
class Attempt:
    is_right: bool = False


class SignInAttempts:
    """One is looked at after the other: many at once do not slip through before the first has failed, and passwords,
    which take 64 MiB each, do not take all memory."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._one_at_a_time = threading.Lock()
        # a name is kept as a digest: it may be of any length, and what was typed as one may be a password
        self._tokens = Tokens()

    @contextmanager
    def one(self, name: str, address: str) -> Iterator[Attempt]:
        """Refuses one too many; counts this one unless it is said to be right."""
        if not self._one_at_a_time.acquire(timeout=_PATIENCE_SECONDS):
            raise _too_many(_PATIENCE_SECONDS, "of many at once")
        try:
            limits = self._limits(name, address)
            self._check(limits)
            attempt = Attempt()
            yield attempt
            if attempt.is_right:
                of_both, keys = limits[0]
                self._limiter.clear(of_both, *keys)
            else:
                for limit, keys in limits:
                    self._limiter.hit(limit, *keys)
        finally:
            self._one_at_a_time.release()

    def _check(self, limits: list[tuple[RateLimitItem, tuple[str, ...]]]) -> None:
        for limit, keys in limits:
            if not self._limiter.test(limit, *keys):
                until = self._limiter.get_window_stats(limit, *keys).reset_time
                raise _too_many(max(1, round(until - time.time())), f"more than {limit}")

    def _limits(self, name: str, address: str) -> list[tuple[RateLimitItem, tuple[str, ...]]]:
        user, network = self._tokens.digest(name).hex(), network_of(address)
        return [(_OF_BOTH, (user, network)), (_OF_ADDRESS, (network,)), (_OF_USER, (user,))]


def network_of(address: str) -> str:
    """Of IPv6 the network that one customer gets whole."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else address


def _too_many(seconds: int, reason: str) -> RefusedError:
    return RefusedError(
        429,
        "too_many_attempts",
        "there were too many attempts to sign in",
        f"wait {seconds} s",
        reason=reason,
        headers={"Retry-After": str(seconds)},
    )
