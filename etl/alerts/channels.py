"""Sends a text to a channel: Slack, e-mail, a webhook, whatever apprise has a URL for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from apprise import Apprise, AppriseAsset, AppriseResultStatus, NotifyFormat, PersistentStoreMode

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
        self._given_up: dict[str, _Sending] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._urls)

    def send(self, channel: str, subject: str, body: str) -> None:
        """Returns when all whom the URL names have it; raises TransientError where one of them may not.

        TerminalError: no attempt at this URL can ever succeed.
        """
        service = self._service(channel)
        before = self._given_up.get(channel)
        if before is not None and before.is_alive():
            raise TransientError(f"channel {channel!r} does not answer: an earlier text still waits for it")
        sending = _Sending(service, subject, body)
        sending.start()
        sending.join(self._timeout_seconds)
        if sending.is_alive():
            self._given_up[channel] = sending
            raise TransientError(f"channel {channel!r} did not answer within {self._timeout_seconds:g} s")
        if not sending.is_taken:
            raise TransientError(f"channel {channel!r} did not take it: {self._reason(channel, sending)}")

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

    def _reason(self, channel: str, sending: _Sending) -> str:
        words = "; ".join(dict.fromkeys(sending.said)) or "it does not say why"
        return redact(words, secrets_in(self._urls[channel]))[:LONGEST_REASON]


class _Sending(threading.Thread):
    """In a thread that holds up nobody: neither other channels, as apprise's own would, nor the program's end."""

    def __init__(self, service: Apprise, subject: str, body: str) -> None:
        super().__init__(name="sending an alert", daemon=True)
        self._service = service
        self._subject = subject
        self._body = body
        self.is_taken = False
        self.said: list[str] = []

    def run(self) -> None:
        try:
            answer = self._service.notify(title=self._subject, body=self._body, body_format=NotifyFormat.TEXT)
        except Exception as error:  # noqa: BLE001 - of apprise's services there are many
            self.said = [repr(error)]
        else:
            self.is_taken = answer.status is AppriseResultStatus.SUCCESS
            self.said = [entry.message.strip() for entry in answer.logs()] or [answer.status.name.lower()]


def _asset() -> AppriseAsset:
    return AppriseAsset(
        secure_logging=True,
        storage_mode=PersistentStoreMode.MEMORY,  # nothing of it on the disk
        app_id="ownlens-etl",
        app_desc="ownlens-etl",
        interpret_escapes=False,
        async_mode=False,
        service_timeout=0,  # we have our own: with it apprise would send in threads that all share
    )
