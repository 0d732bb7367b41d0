"""Gives up a server that stands still: counts along with it, for a while longer, and ends psycopg2's connection."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg2
from psycopg2.extensions import connection, cursor

from etl.postgresql.patience import seconds_for, stands_still

_LOOKS_EVERY_SECONDS = 1.0
GIVE_UP_SECONDS = 5.0
"""How long a server has for a cancellation before it is hung up on."""


class WatchedConnection(connection):
    """`limit_seconds`: what the server lets a statement take. What is asked through it ends soon after; 0 is never."""

    limit_seconds: float = 0
    is_given_up: bool = False

    def cursor(self, name: Any = None, cursor_factory: Any = None, **named: Any) -> Any:  # type: ignore[override]
        wanted: Any = cursor_factory or self.cursor_factory
        return super().cursor(name, _watching(wanted or cursor), **named)

    def commit(self) -> None:
        with _answered(self):
            super().commit()

    def rollback(self) -> None:
        with _answered(self):
            super().rollback()


@contextmanager
def answering(held: WatchedConnection, limit_seconds: float) -> Iterator[None]:
    """While the block runs, in which the server ends a statement after so long; 0 is never."""
    before, held.limit_seconds = held.limit_seconds, limit_seconds
    try:
        yield
    finally:
        held.limit_seconds = before


def give_up(held: WatchedConnection) -> None:
    """What is asked through it ends: the server is told to cancel it, and one that stands still is left alone. Nothing
    here is waited for; again it changes nothing."""
    if held.closed or held.is_given_up:
        return
    held.is_given_up = True
    descriptor = os.dup(held.fileno())  # the socket's, whatever becomes of the connection
    # libpq waits for the postmaster's answer without an end
    threading.Thread(target=_cancel, args=(held,), name="cancel", daemon=True).start()
    threading.Thread(target=_hang_up_later, args=(descriptor,), name="hang up", daemon=True).start()


def _cancel(held: WatchedConnection) -> None:
    with suppress(psycopg2.Error):
        held.cancel()


def _hang_up_later(descriptor: int) -> None:
    time.sleep(GIVE_UP_SECONDS)
    _hang_up(descriptor)
    os.close(descriptor)


@cache
def _watching(factory: type[cursor]) -> type[cursor]:
    """The cursors of libraries and tools, each with its own rows, watched alike."""

    class Watching(factory):  # type: ignore[misc, valid-type]
        def execute(self, query: Any, *values: Any, **named: Any) -> Any:
            with _answered(self.connection, query):
                return super().execute(query, *values, **named)

        def copy_expert(self, *arguments: Any, **named: Any) -> Any:
            with _answered(self.connection):
                return super().copy_expert(*arguments, **named)

        def fetchmany(self, *arguments: Any, **named: Any) -> Any:
            with _answered(self.connection):
                return super().fetchmany(*arguments, **named)

    return Watching


@contextmanager
def _answered(held: WatchedConnection, query: object = "") -> Iterator[None]:
    if not held.limit_seconds or held.closed:
        yield
        return
    seconds = seconds_for(held.limit_seconds, query)
    question = _Question(time.monotonic() + seconds, held.fileno())
    _WATCH.begin(question)
    try:
        yield
    except psycopg2.Error as error:
        if not question.is_given_up:
            raise
        raise psycopg2.OperationalError(stands_still(seconds)) from error
    finally:
        _WATCH.end(question)


@dataclass(eq=False)
class _Question:
    """`descriptor` is the socket's, open until the question has been answered."""

    deadline: float
    descriptor: int
    is_given_up: bool = False


class _Watch:
    """One thread a process, which lives from the first question on."""

    def __init__(self) -> None:
        self._questions: set[_Question] = set()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, question: _Question) -> None:
        with self._guard:
            self._questions.add(question)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look_again_and_again, name="silence", daemon=True)
                self._thread.start()

    def end(self, question: _Question) -> None:
        with self._guard:
            self._questions.discard(question)

    def _look_again_and_again(self) -> None:
        while True:
            time.sleep(_LOOKS_EVERY_SECONDS)
            with self._guard:
                now = time.monotonic()
                for question in self._questions:
                    if question.deadline < now and not question.is_given_up:
                        question.is_given_up = True
                        _hang_up(question.descriptor)


def _hang_up(descriptor: int) -> None:
    """What waits for the socket finds it at its end."""
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
        copy.shutdown(socket.SHUT_RDWR)


_WATCH = _Watch()


def _start_anew() -> None:
    """In a child: threads stay behind at a fork, and the questions are its parent's."""
    global _WATCH
    _WATCH = _Watch()


os.register_at_fork(after_in_child=_start_anew)
