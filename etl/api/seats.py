"""How many download at once: in a process, and of one user, so that one who takes all leaves some to the others."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from etl.api.problems import ProblemError


class Seats:
    def __init__(self, all_together: int, of_one_user: int) -> None:
        self._all_together, self._of_one_user = all_together, of_one_user
        self.taken: Counter[str] = Counter()
        """By user; empty where nobody downloads."""
        self._lock = threading.Lock()

    @contextmanager
    def taken_by(self, user: str) -> Iterator[None]:
        """Raises ProblemError where none is free."""
        with self._lock:
            self._require_free(user)
            self.taken[user] += 1
        try:
            yield
        finally:
            with self._lock:
                self.taken -= Counter([user])

    def _require_free(self, user: str) -> None:
        if self.taken[user] >= self._of_one_user:
            raise _too_many(429, f"{self._of_one_user} downloads of yours are under way, and one user has no more")
        if self.taken.total() >= self._all_together:
            raise _too_many(503, f"{self._all_together} downloads are under way, and this process has no more")


def _too_many(status: int, detail: str) -> ProblemError:
    return ProblemError(status, "too_many_downloads", detail, "wait for the end of one", headers={"Retry-After": "10"})
