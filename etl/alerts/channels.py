"""Sends a text to a channel: Slack, e-mail, a webhook, whatever apprise has a URL for."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from apprise import Apprise, AppriseAsset, AppriseResult, AppriseResultStatus, NotifyFormat, PersistentStoreMode

from etl.errors import TerminalError, TransientError, UsageError
from etl.nearest import suggestion
from etl.redaction import redact, secrets_in

SEND_TIMEOUT_SECONDS = 20.0
LONGEST_REASON = 500

# whatever it has to say is in its answers, and URLs are in what it says
logging.getLogger("apprise").propagate = False
logging.getLogger("apprise").addHandler(logging.NullHandler())


class Channels:
    """Used by many threads at once. Neither errors nor logs hold anything of a URL that may be a secret."""

    def __init__(self, urls: Mapping[str, str], timeout_seconds: float = SEND_TIMEOUT_SECONDS) -> None:
        self._urls = dict(urls)
        self._timeout_seconds = timeout_seconds

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._urls)

    def send(self, channel: str, subject: str, body: str) -> None:
        """Returns when all whom the URL names have it; raises TransientError where one of them may not.

        TerminalError: no attempt at this URL can ever succeed.
        """
        service = self._service(channel)
        answer = service.notify(title=subject, body=body, body_format=NotifyFormat.TEXT, timeout=self._timeout_seconds)
        if answer.status is not AppriseResultStatus.SUCCESS:
            raise TransientError(f"channel {channel!r} did not take it: {self._reason(channel, answer)}")

    def _service(self, channel: str) -> Apprise:
        if channel not in self._urls:
            known = suggestion(channel, self._urls)
            raise UsageError(f"unknown channel {channel!r}; {known} (alerts.channels of etl.yaml, with its URL)")
        # made anew each time: a connection that is kept would be stale by the next alert
        service = Apprise(asset=_asset())
        if not service.add(self._urls[channel]):
            raise TerminalError(
                f"channel {channel!r}: expected a URL that apprise knows, such as slack://TokenA/TokenB/TokenC or "
                "mailtos://user:password@example.com; mend its variable (appriseit.com/services has them all)"
            )
        return service

    def _reason(self, channel: str, answer: AppriseResult) -> str:
        said = [entry.message.strip() for entry in answer.logs()]
        words = "; ".join(dict.fromkeys(said)) or answer.status.name.lower()
        return redact(words, secrets_in(self._urls[channel]))[:LONGEST_REASON]


def _asset() -> AppriseAsset:
    return AppriseAsset(
        secure_logging=True,
        storage_mode=PersistentStoreMode.MEMORY,  # nothing of it on the disk
        app_id="ownlens-etl",
        app_desc="ownlens-etl",
        interpret_escapes=False,
    )
