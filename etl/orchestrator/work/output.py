"""What a job writes, on its way into the database: whole lines, without secrets, bounded.

Of each stream the first and the last 256 KiB are kept. The first are stored while the job runs; what comes after them
is kept back until the job ends, for only then is it known what was the last.
"""

from __future__ import annotations

import codecs
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from etl.redaction import redact

KEPT_BYTES = 256 * 1024
"""At a stream's start, and as much at its end."""
LONGEST_LINE_BYTES = 64 * 1024
"""A longer one is cut; a secret that stands at the cut would not be seen, so what may be half of one waits."""
_HELD_BACK = 4096


@dataclass(frozen=True)
class Piece:
    number: int
    stream: str
    text: str


class Output:
    """Of one attempt: a thread writes, another takes what is new."""

    def __init__(self, secrets: Iterable[str] = (), kept_bytes: int = KEPT_BYTES) -> None:
        self._guard = threading.Lock()
        self._streams = {name: _Stream(name, tuple(secrets), kept_bytes) for name in ("stdout", "stderr")}
        self._numbers = 0

    def write(self, stream: str, data: bytes) -> None:
        with self._guard:
            self._streams[stream].write(data)

    def end(self) -> None:
        """Nothing more will come: what was kept back can be taken."""
        with self._guard:
            for stream in self._streams.values():
                stream.end()

    def take(self) -> list[Piece]:
        """What can be stored since the last time, in order of their numbers."""
        with self._guard:
            taken = [(name, text) for name, stream in self._streams.items() if (text := stream.take())]
            first = self._numbers
            self._numbers += len(taken)
        return [Piece(first + place, name, text) for place, (name, text) in enumerate(taken)]

    def last_line(self) -> str:
        """Of stderr, else of stdout: what an error is most often told in."""
        with self._guard:
            return self._streams["stderr"].last_line or self._streams["stdout"].last_line


class _Stream:
    def __init__(self, name: str, secrets: tuple[str, ...], kept_bytes: int) -> None:
        self.last_line = ""
        self._name = name
        self._secrets = secrets
        self._kept_bytes = kept_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._open = ""
        """The line that has not ended."""
        self._ready: list[str] = []
        self._head_bytes = 0
        self._tail: deque[str] = deque()
        self._tail_bytes = 0
        self._left_out = 0

    def write(self, data: bytes) -> None:
        text = self._open + self._decoder.decode(data)
        end = max(text.rfind("\n"), text.rfind("\r")) + 1
        if not end and len(text) > LONGEST_LINE_BYTES:
            end = len(text) - _HELD_BACK
        self._open = text[end:]
        if end:
            self._keep(text[:end])

    def end(self) -> None:
        rest = self._open + self._decoder.decode(b"", final=True)
        self._open = ""
        if rest:
            self._keep(rest)
        if self._left_out:
            self._ready.append(f"… {self._left_out:,} bytes of {self._name} left out …\n")
        self._ready.append(self._clean("".join(self._tail)))
        self._tail.clear()

    def take(self) -> str:
        ready, self._ready = self._ready, []
        return "".join(ready)

    def _keep(self, text: str) -> None:
        room = self._kept_bytes - self._head_bytes
        if room > 0:
            head, text = self._fitting(text, room)
            self._ready.append(self._clean(head))
        for line in text.splitlines(keepends=True):
            self._keep_last(line)

    def _fitting(self, text: str, room: int) -> tuple[str, str]:
        """Whole lines, as many as there is room for; from the first that does not fit on all is of the tail."""
        size = len(text.encode())
        if size <= room:
            self._head_bytes += size
            return text, ""
        self._head_bytes = self._kept_bytes
        fits = text.encode()[:room].decode(errors="ignore")
        end = fits.rfind("\n") + 1
        return text[:end], text[end:]

    def _keep_last(self, line: str) -> None:
        self._tail.append(line)
        self._tail_bytes += len(line.encode())
        while self._tail_bytes > self._kept_bytes and len(self._tail) > 1:
            gone = len(self._tail.popleft().encode())
            self._tail_bytes -= gone
            self._left_out += gone

    def _clean(self, text: str) -> str:
        cleaned = redact(text.replace("\0", ""), self._secrets)
        self.last_line = next((line for line in reversed(cleaned.splitlines()) if line.strip()), self.last_line)
        return cleaned
