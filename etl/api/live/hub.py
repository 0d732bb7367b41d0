"""Watches runs for all streams together: each watched run is asked after once, however many look at it.

A thread of its own looks every 0.4 seconds, sooner when the database hints at a change; nothing depends on hints. What
goes wrong with the database is told to all who watch, and when it is back they are told everything anew.
"""

from __future__ import annotations

import asyncio
import threading
import time

import structlog

from etl.api.live.hints import Hints
from etl.api.live.outbox import Outbox
from etl.api.live.watched import Watched
from etl.api.problems import ProblemError
from etl.api.reading.ledger import Look, looking
from etl.errors import EtlError
from etl.redaction import redact
from etl.staging.database.database import StagingDatabase

INTERVAL_SECONDS = 0.4
SHORTEST_SECONDS = 0.1
"""Between two looks, whatever is hinted at."""
MAXIMUM_STREAMS = 1000
PATIENCE_SECONDS = 20
"""With a look that is under way when all ends."""

log = structlog.get_logger(__name__)


class Hub:
    """`database`: of its own, so that no request has to wait for it. Its thread begins with the first stream."""

    def __init__(self, database: StagingDatabase) -> None:
        self._database = database
        self._hints = Hints(database, self._hinted)
        self._watched: dict[str, Watched] = {}
        self._outboxes: set[Outbox] = set()
        self._joining: list[Outbox] = []
        self._changed = threading.Condition()
        self._hinted_runs: set[str] = set()
        self._is_closed = False
        self._is_in_trouble = False
        self._thread: threading.Thread | None = None

    def require_room(self) -> None:
        if len(self._outboxes) >= MAXIMUM_STREAMS:
            text = f"{MAXIMUM_STREAMS} streams are open, and this process keeps no more"
            raise ProblemError(
                503, "too_many_streams", text, "ask /changes every two seconds", headers={"Retry-After": "10"}
            )

    def join(self, run_id: str, since: str | None) -> Outbox:
        """By the event loop whose stream it is."""
        outbox = Outbox(run_id, since, asyncio.get_running_loop())
        with self._changed:
            if self._is_closed:
                outbox.close()
                return outbox
            self._outboxes.add(outbox)
            self._joining.append(outbox)
            self._begin()
            self._changed.notify()
        return outbox

    def leave(self, outbox: Outbox) -> None:
        with self._changed:
            self._outboxes.discard(outbox)
            outbox.close()

    def end_streams(self) -> None:
        """At once: their readers come again by themselves, to another process or the next."""
        with self._changed:
            self._is_closed = True
            for outbox in self._outboxes:
                outbox.close()
            self._changed.notify()

    def close(self) -> None:
        self.end_streams()
        self._hints.close()
        if self._thread is not None:
            self._thread.join(timeout=PATIENCE_SECONDS)
        self._database.close()

    # The thread

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._look_again_and_again, name="live", daemon=True)
            self._thread.start()
            self._hints.begin()

    def _hinted(self, run_id: str) -> None:
        with self._changed:
            if run_id in self._watched:
                self._hinted_runs.add(run_id)
                self._changed.notify()

    def _look_again_and_again(self) -> None:
        while watched := self._await_turn():
            began_at = time.monotonic()
            try:
                with looking(self._database, "watch runs") as look:
                    self._look_at(watched, look)
                self._is_in_trouble = False
            except (EtlError, ProblemError) as error:
                self._tell_trouble(watched, error)
            except Exception as error:
                log.error("unexpected error while watching runs", exc_info=error)
                self._tell_trouble(watched, error)
            self._rest(began_at)

    def _await_turn(self) -> list[Watched]:
        """Those that somebody watches, when there are any; none at the end."""
        with self._changed:
            self._drop_unwatched()
            self._changed.wait_for(lambda: self._watched or self._joining or self._is_closed)
            joining, self._joining = self._joining, []
            self._hinted_runs.clear()
            if self._is_closed:
                return []
        for outbox in joining:
            self._watched.setdefault(outbox.run_id, Watched(outbox.run_id)).joining.append(outbox)
        return list(self._watched.values())

    def _drop_unwatched(self) -> None:
        for run_id, watched in list(self._watched.items()):
            watched.outboxes = [each for each in watched.outboxes if not each.is_closed]
            watched.joining = [each for each in watched.joining if not each.is_closed]
            if not watched.outboxes and not watched.joining:
                del self._watched[run_id]

    def _look_at(self, watched: list[Watched], look: Look) -> None:
        seen = look.seen()
        for each in watched:
            each.lose_another_incarnation(seen)
        quiet = [each for each in watched if not each.is_due]
        stirred = self._stirred(quiet, look)
        for each in watched:
            if each.run_id in stirred or each.is_due:
                each.read(look, seen)
            else:
                each.seen = seen

    def _stirred(self, quiet: list[Watched], look: Look) -> set[str]:
        known = [(each.run_id, each.revision, each.seen.snapshot) for each in quiet if each.seen]
        if not known:
            return set()
        run_ids, revisions, snapshots = map(list, zip(*known, strict=True))
        found = look.tuples("page_stirred", run_ids=run_ids, revisions=revisions, snapshots=snapshots)
        return {run_id for (run_id,) in found}

    def _tell_trouble(self, watched: list[Watched], error: Exception) -> None:
        detail = redact(str(error))
        if not self._is_in_trouble:
            log.warning("runs cannot be watched", error=detail)
        for each in watched:
            each.lose()
            for outbox in each.outboxes + each.joining:
                outbox.tell_trouble(detail)
        self._is_in_trouble = True

    def _rest(self, began_at: float) -> None:
        """Never busy for more than half of the time."""
        took = time.monotonic() - began_at
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed, timeout=max(SHORTEST_SECONDS, took))
            left = INTERVAL_SECONDS - (time.monotonic() - began_at)
            if left > 0:
                self._changed.wait_for(lambda: self._is_closed or self._hinted_runs or self._joining, timeout=left)
