from __future__ import annotations

import pytest
from pydantic import SecretStr

from etl.config.alerts import (
    KINDS_OF_ORCHESTRATOR,
    AlertKind,
    AlertRule,
    AlertSettings,
    LoadLimits,
    load_alerts,
)
from etl.errors import ConfigurationError
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


def test_limits_of_a_table_come_before_those_of_all(shop: Folder) -> None:
    alerts = alerts_of(
        shop,
        """\
        alerts:
          limits: {not_loaded_for: 26h, slow_below: 50%}
          tables:
            "page_*": {not_loaded_for: 2h, rejects_above: 1000}
            page_dates: {not_loaded_for: null}
        """,
    )
    assert alerts.limits_of("users") == LoadLimits(rejects_above="5%", slow_below="50%", not_loaded_for=26 * 3600)
    assert alerts.limits_of("page_views").not_loaded_for == 2 * 3600
    assert alerts.limits_of("page_views").rejects_above == "1000"
    assert alerts.limits_of("page_dates").not_loaded_for is None
    assert alerts.limits_of("page_dates").slow_below == "50%"


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ({}, True),
        ({"on": ("slow", "failure")}, True),
        ({"on": ("slow",)}, False),
        ({"tools": ("main",)}, True),
        ({"tools": ("staging", "orchestrator")}, False),
        ({"tables": ("ord*",)}, True),
        ({"tables": ("users",)}, False),
        ({"destinations": ("s3",)}, True),
        ({"destinations": ("clickhouse",)}, False),
        ({"layers": ("gold",)}, False),  # of the orchestrator's jobs
    ],
)
def test_a_rule_fits_loads_by_what_it_names(rule: dict[str, tuple[str, ...]], fits: bool) -> None:
    assert AlertRule(channel="ops", **rule).fits("main", AlertKind.FAILURE, "orders", "s3") is fits


def test_rules_of_loads_alone_are_not_the_orchestrators() -> None:
    of_all = AlertRule(channel="ops")
    assert of_all.kinds_of_orchestrator == KINDS_OF_ORCHESTRATOR
    for rule in ({"tables": ("orders",)}, {"destinations": ("s3",)}, {"tools": ("main",)}, {"on": ("slow",)}):
        assert AlertRule(channel="ops", **rule).kinds_of_orchestrator == ()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("limits: {slow: 5%}", "alerts.limits: unknown key 'slow'"),
        ("limits: {slow_below: 100}", "alerts.limits: slow_below: expected a share, such as 30%"),
        ("limits: {not_loaded_for: soon}", "alerts.limits: not_loaded_for: expected a duration"),
        ("tables: {orders: {rejects_above: many}}", "alerts.tables.orders: rejects_above: expected a number of rows"),
        ("tables: [orders]", "alerts.tables: expected a mapping of tables to their limits"),
    ],
)
def test_a_fault_of_the_limits_is_told(shop: Folder, text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        alerts_of(shop, f"alerts:\n  {text}\n")
    assert fault in raised.value.message


def test_the_block_alone_is_read_whatever_else_is_wrong(shop: Folder) -> None:
    shop.write("etl.yaml", 's3: {bucket: "${NOT_SET}"}\nalerts:\n  channels: {ops: "${OPS_URL}"}\nnonsense: 1\n')
    assert load_alerts(shop.path, ENVIRON).urls == {"ops": SLACK}
    with pytest.raises(ConfigurationError, match="OPS_URL"):
        load_alerts(shop.path, {})
    with pytest.raises(ConfigurationError, match="expected a file whose `alerts` say who is told"):
        load_alerts(shop.path / "tables", {})
