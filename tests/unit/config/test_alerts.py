from __future__ import annotations

import pytest
from pydantic import SecretStr

from etl.config.alerts import AlertKind, AlertRule, AlertSettings
from tests.unit.config.conftest import Folder

TABLES = "tables:\n  customers: {kind: reference, key: customer_id}\n"
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#etl"
ENVIRON = {"OPS_URL": SLACK}


@pytest.fixture
def shop(folder: Folder) -> Folder:
    return folder.tables(TABLES)


def alerts_of(shop: Folder, text: str) -> AlertSettings:
    return shop.write("etl.yaml", text).load(ENVIRON).settings.alerts


def test_nobody_is_told_where_nothing_is_said(shop: Folder) -> None:
    assert alerts_of(shop, "run: {parallelism: 2}") == AlertSettings()


def test_channels_and_rules_are_read(shop: Folder) -> None:
    alerts = alerts_of(
        shop,
        """\
        alerts:
          channels: {ops: "${OPS_URL}", mail: "${MAIL_URL:-}"}
          rules:
            - {channel: ops}
            - {on: [failure, recovered], channel: mail, layers: gold, tags: [money], jobs: [gold_revenue], dedupe: 2h}
        """,
    )
    assert alerts.channels == {"ops": SecretStr(SLACK), "mail": None}
    assert alerts.urls == {"ops": SLACK}
    assert alerts.rules == (
        AlertRule(on=tuple(AlertKind), channel="ops", dedupe=1800),
        AlertRule(
            on=(AlertKind.FAILURE, AlertKind.RECOVERED),
            channel="mail",
            layers=("gold",),
            tags=("money",),
            jobs=("gold_revenue",),
            dedupe=7200,
        ),
    )


def test_the_secrets_of_the_urls_are_known_to_what_masks_texts(shop: Folder) -> None:
    alerts = alerts_of(shop, 'alerts: {channels: {ops: "${OPS_URL}"}}')
    assert {SLACK, "T1JJ3T3L2", "A1BRTD4JD", "TIiajkdnlazkcOXrIdevi7FQ"} <= set(alerts.secrets)
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in repr(alerts)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("alerts: [ops]", "etl.yaml:1: alerts must be a mapping of keys"),
        ("alerts: {chanels: {}}", "etl.yaml:1: unknown key 'chanels' in alerts; did you mean 'channels'?"),
        ("alerts: {channels: [ops]}", "etl.yaml:1: alerts.channels: expected a mapping of names to URLs"),
        (
            "alerts:\n  channels:\n    ops: json://u:hunter2@example.com",
            "etl.yaml:3: alerts.channels.ops: its URL is a secret; write ${NAME} or ${NAME:-}",
        ),
        (
            'alerts: {channels: {ops: "x${NO_URL:-}y"}}',
            "etl.yaml:1: alerts.channels.ops: its URL is a secret; write ${NAME} or ${NAME:-}",
        ),
        (
            'alerts: {channels: {ops: "${NOT_A_URL}"}}',
            "etl.yaml:1: alerts.channels.ops: expected a URL, such as slack://…; found no `://` in it",
        ),
        ("alerts: {rules: {channel: ops}}", "etl.yaml:1: alerts.rules: expected a list of rules"),
        (
            'alerts:\n  channels: {ops: "${OPS_URL}"}\n  rules:\n    - {channel: opps}',
            "etl.yaml:4: alerts.rules: unknown channel 'opps'; did you mean 'ops'?",
        ),
        ("alerts: {rules: [{on: failure}]}", "etl.yaml:1: alerts.rules: key 'channel' is missing"),
        (
            'alerts: {channels: {ops: "${OPS_URL}"}, rules: [{channel: ops, on: [failed]}]}',
            "etl.yaml:1: alerts.rules: on.0: unknown value 'failed'; did you mean 'failure'?",
        ),
        (
            'alerts: {channels: {ops: "${OPS_URL}"}, rules: [{channel: ops, job: a}]}',
            "etl.yaml:1: alerts.rules: unknown key 'job'; did you mean 'jobs'?",
        ),
        (
            'alerts: {channels: {ops: "${OPS_URL}"}, rules: [{channel: ops, dedupe: soon}]}',
            "etl.yaml:1: alerts.rules: dedupe: expected a duration: 10s, 5m, 2h, 1d, or a number of seconds",
        ),
    ],
)
def test_faults_say_where_and_never_what_a_variable_gave(shop: Folder, text: str, fault: str) -> None:
    found = shop.write("etl.yaml", text).faults({**ENVIRON, "NOT_A_URL": "hunter2"})
    assert found == [fault]
    assert "hunter2" not in str(found)
