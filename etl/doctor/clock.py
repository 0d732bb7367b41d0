"""How far this machine's clock is from a server's."""

from __future__ import annotations

from dataclasses import dataclass

from etl.doctor.findings import Answer, failed, ok, warning

NOTEWORTHY_SECONDS = 5.0
REFUSED_SECONDS = 15 * 60.0
"""From here on S3 refuses what is signed by this clock, and tokens and TLS go the same way."""

_NEXT_STEP = "set this machine's clock by NTP (timedatectl set-ntp true), or the server's"


@dataclass(frozen=True)
class Reading:
    """What a server said of its time between two looks at ours, in seconds since 1970; `exact_seconds` is how exactly
    it said it."""

    began: float
    ended: float
    there: float
    exact_seconds: float = 0.0

    @property
    def ahead_seconds(self) -> float:
        """Half of the way there and back is not the clock's."""
        return (self.began + self.ended) / 2 - self.there - self.exact_seconds / 2


def compared(reading: Reading) -> Answer:
    ahead = reading.ahead_seconds
    found = f"this machine is {abs(ahead):,.1f} s {'ahead of' if ahead > 0 else 'behind'} the server"
    if abs(ahead) >= REFUSED_SECONDS:
        return failed(found, expected="less than 15 minutes, beyond which signatures are refused", next_step=_NEXT_STEP)
    if abs(ahead) >= NOTEWORTHY_SECONDS:
        return warning(found, expected=f"less than {NOTEWORTHY_SECONDS:g} s", next_step=_NEXT_STEP)
    return ok(found)
