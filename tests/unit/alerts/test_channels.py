from __future__ import annotations

import logging
import socket
import subprocess
import sys
import textwrap
import threading

import pytest

from etl.alerts.channels import Channels
from etl.errors import TerminalError, TransientError, UsageError
from tests.receivers import http_receiver, smtp_receiver

BODY = "Job: <b>a_job</b> & *another*\nerror: \\n is kept, as is ${HOME}\n\nlast line: ä €"


def mail_url(port: int) -> str:
    return f"mailto://127.0.0.1:{port}?from=etl@example.com&to=ops@example.com&format=text"


def test_a_webhook_and_a_mailbox_get_the_very_text() -> None:
    with http_receiver() as web, smtp_receiver() as mail:
        channels = Channels({"web": f"json://127.0.0.1:{web.port}/hooks/s3cr3t-hook", "mail": mail_url(mail.port)})
        for channel in channels.names:
            channels.send(channel, "failed: a_job", BODY)
    assert web.taken == mail.taken == [("failed: a_job", BODY)]


def test_what_is_refused_may_be_tried_again() -> None:
    with http_receiver(refusals=1) as web, smtp_receiver(refusals=1) as mail:
        channels = Channels({"web": f"json://127.0.0.1:{web.port}/", "mail": mail_url(mail.port)})
        for channel in channels.names:
            with pytest.raises(TransientError, match=f"channel '{channel}' did not take it: "):
                channels.send(channel, "subject", BODY)
            channels.send(channel, "subject", BODY)
    assert (web.tries, mail.tries) == (2, 2)
    assert web.taken == mail.taken == [("subject", BODY)]


def test_whoever_is_not_there_may_come_back() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(TransientError, match=r"channel 'web' did not take it: A Connection error"):
            Channels({"web": f"json://127.0.0.1:{port}/"}).send("web", "subject", BODY)


def test_whoever_does_not_answer_is_not_waited_for() -> None:
    with http_receiver() as web:
        web.hang = threading.Event()
        channels = Channels({"web": f"json://127.0.0.1:{web.port}/?rto=30"}, timeout_seconds=0.2)
        with pytest.raises(TransientError, match=r"channel 'web' did not answer within 0\.2 s"):
            channels.send("web", "first", BODY)
        with pytest.raises(TransientError, match="an earlier text still waits"):
            channels.send("web", "second", BODY)
        web.hang.set()
    assert web.tries <= 1


def test_a_dead_channel_does_not_keep_a_program_from_ending() -> None:
    program = textwrap.dedent("""
        import sys
        from etl.alerts.channels import Channels
        from etl.errors import TransientError
        try:
            Channels({"web": sys.argv[1]}, timeout_seconds=0.2).send("web", "subject", "body")
        except TransientError:
            print("not answered")
    """)
    with http_receiver() as web:
        web.hang = threading.Event()
        url = f"json://127.0.0.1:{web.port}/?rto=600"
        done = subprocess.run([sys.executable, "-c", program, url], capture_output=True, timeout=30, check=True)
        web.hang.set()
    assert done.stdout == b"not answered\n"


def test_a_url_that_nobody_knows_is_never_tried_again() -> None:
    with pytest.raises(TerminalError, match="expected a URL that apprise knows") as caught:
        Channels({"ops": "slak://hunter2/x"}).send("ops", "subject", BODY)
    assert "hunter2" not in str(caught.value)


def test_a_channel_that_nobody_knows_is_bad_use() -> None:
    with pytest.raises(UsageError, match="unknown channel 'opps'; did you mean 'ops'"):
        Channels({"ops": "json://127.0.0.1/"}).send("opps", "subject", BODY)


def test_neither_errors_nor_logs_hold_a_secret() -> None:
    heard = _Hearing()
    logging.getLogger().addHandler(heard)
    with smtp_receiver(refusals=1) as mail:
        url = f"mailto://etl-mailer:hunter22@127.0.0.1:{mail.port}?from=etl@example.com&to=ops@example.com"
        with pytest.raises(TransientError, match="did not take it: Connection error") as caught:
            Channels({"mail": url}).send("mail", "subject", BODY)
    logging.getLogger().removeHandler(heard)
    assert [record for record in heard.records if record.name.startswith("apprise")] == []
    assert "hunter22" not in str(caught.value)


class _Hearing(logging.Handler):
    """What a program's own log hears."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
