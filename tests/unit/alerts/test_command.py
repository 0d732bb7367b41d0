"""`etl alert test`: real HTTP and SMTP, no ledger and no server of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from etl.alerting.__main__ import app
from tests.receivers import http_receiver, smtp_receiver


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "etl.yaml").write_text('alerts: {channels: {ops: "${OPS_URL:-}", mail: "${MAIL_URL:-}"}}\n')
    return tmp_path


def tried(folder: Path, channel: str) -> Result:
    return CliRunner().invoke(app, ["test", channel, "--config-dir", str(folder)])


def test_a_channel_that_takes_it_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as web, smtp_receiver() as mail:
        monkeypatch.setenv("OPS_URL", f"json://127.0.0.1:{web.port}/")
        to_mail = f"mailto://127.0.0.1:{mail.port}?from=etl@example.com&to=ops@example.com&format=text"
        monkeypatch.setenv("MAIL_URL", to_mail)
        assert tried(folder, "ops").stdout == "channel ops took it\n"
        assert tried(folder, "mail").stdout == "channel mail took it\n"
    for receiver, channel in ((web, "ops"), (mail, "mail")):
        ((subject, body),) = receiver.taken
        assert subject == "test: ownlens-etl"
        assert body.startswith(f"So alerts of ownlens-etl arrive in channel {channel}. Sent by ")


@pytest.mark.parametrize(("channel", "code"), [("opps", 2), ("mail", 2), ("ops", 1)])
def test_one_that_does_not_is_told_with_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch, channel: str, code: int
) -> None:
    monkeypatch.setenv("OPS_URL", "json://127.0.0.1:9/?cto=1")
    done = tried(folder, channel)
    assert done.exit_code == code
    said = {
        "opps": "unknown channel 'opps'; did you mean 'ops'?",
        "mail": "channel 'mail' has no URL; set the variable that alerts.channels.mail names",
        "ops": "channel 'ops' did not take it: A Connection error occurred",
    }
    assert said[channel] in done.stderr
