"""The main job under Airflow: every domain a Spark job of its own, whose retries resume. See docs/airflow.md."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pendulum
from airflow.exceptions import AirflowException
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import DAG, Connection, Context, CronTriggerTimetable, Param, TaskGroup, TriggerRule, task
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException
from airflow.sdk.log import mask_secret
from ownlens_main_job import Ended, Request, chosen, failure_in, summary_of, tables_by_domain, waves

PROJECT = Path(os.environ.get("ETL_AIRFLOW_PROJECT_DIR") or Path(__file__).resolve().parents[2])
CONFIG_DIR = Path(os.environ.get("ETL_AIRFLOW_CONFIG_DIR") or PROJECT / "conf")
REPORT_DIR = Path(os.environ.get("ETL_AIRFLOW_REPORT_DIR") or PROJECT / ".data" / "airflow" / "reports")
DESTINATIONS = os.environ.get("ETL_AIRFLOW_DESTINATIONS") or "s3,postgresql,clickhouse"
SCHEDULE = os.environ.get("ETL_AIRFLOW_SCHEDULE", "0 2 * * *")
POOL = os.environ.get("ETL_AIRFLOW_POOL") or "default_pool"

SPARK = "ownlens_spark"
SERVERS = {
    "ownlens_source": "ETL_SOURCE_POSTGRES_URL",
    "ownlens_postgresql": "ETL_POSTGRES_URL",
    "ownlens_ledger": "ETL_LEDGER_POSTGRES_URL",
    "ownlens_clickhouse": "ETL_CLICKHOUSE_URL",
}
S3 = "ownlens_s3"
"""Connections that may be left out: what is in the worker's own environment, or in etl.yaml, is used then."""

REPORTS = "reports"
"""By which name `load` tells `report` where the reports of its tries are: nowhere, if there is nothing to load."""

TABLES = tables_by_domain(CONFIG_DIR)
INSTANT = r"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?$"


class MainJob(SparkSubmitOperator):
    """spark-submit jobs/run_etl.py for one domain, in client mode: the driver runs where the task does."""

    def __init__(self, *, domain: str, **given: Any) -> None:
        self.domain = domain
        super().__init__(
            conn_id=SPARK,
            application=str(PROJECT / "jobs" / "run_etl.py"),
            name=f"ownlens-etl {domain}",
            deploy_mode="client",
            properties_file=str(PROJECT / "conf" / "spark-defaults.conf"),
            application_args=self.arguments_in,
            **given,
        )

    def arguments_in(self, context: Context, jinja_env: Any = None) -> list[str]:
        """Called when the task's fields are rendered: params go from list to list, through no template and no shell."""
        params = context["params"]
        tables = chosen(TABLES[self.domain], params["tables"]) if params["tables"] else ()
        return self._request(context).arguments(tables, context["ti"].try_number, params["since"], params["until"])

    def execute(self, context: Context) -> None:
        if not chosen(TABLES[self.domain], context["params"]["tables"]):
            context["ti"].xcom_push(REPORTS, [])
            raise AirflowSkipException(f"none of the tables that were asked for is of {self.domain}")
        request, attempt = self._request(context), context["ti"].try_number
        REPORT_DIR.mkdir(parents=True, exist_ok=True)
        reports = [request.report(each) for each in range(1, attempt + 1)]
        context["ti"].xcom_push(REPORTS, [str(file) for file in reports])
        # not env_vars, which become arguments of spark-submit on YARN and Kubernetes; this process is the task's own
        os.environ |= _servers()
        _use_installed_spark()
        if (Connection.get(SPARK).host or "").startswith("local"):
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
            self.conf = _fetched_packages()
        try:
            super().execute(context)
        except AirflowException as error:
            if (ended := Ended.read(str(error))) is None:
                raise
            failure = AirflowFailException if ended.is_bad_use else AirflowException
            raise failure(ended.explained(self.domain, reports)) from None  # which began with the whole command

    def _request(self, context: Context) -> Request:
        """Retries of a task have one key, so that they resume. Clearing it raises `max_tries`: that begins anew."""
        ti = context["ti"]
        key = f"airflow/{ti.dag_id}/{ti.run_id}/{self.domain}/{ti.max_tries}"
        return Request(key, self.domain, DESTINATIONS, CONFIG_DIR, REPORT_DIR)


def _use_installed_spark() -> None:
    """The one of the set-up, where there is one; else spark-submit is the worker's own."""
    python = PROJECT / ".venv" / "bin" / "python"
    if not python.exists():
        return
    os.environ.pop("SPARK_HOME", None)
    os.environ["PATH"] = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    os.environ |= {"PYSPARK_PYTHON": str(python), "PYSPARK_DRIVER_PYTHON": str(python)}
    os.environ |= {"SPARK_CONF_DIR": str(PROJECT / "conf"), "TZ": "UTC"}
    os.environ.setdefault("ETL_LOG_DIR", str(PROJECT / "logs"))


def _fetched_packages() -> dict[str, str]:
    """The JARs that the set-up has fetched; where there are none, Spark resolves spark.jars.packages at each start."""
    ivy = Path(os.environ.get("ETL_IVY_DIR") or PROJECT / ".ivy")
    jars = "".join(file.read_text(encoding="utf-8").strip() for file in ivy.glob("spark-jars-*.txt"))
    return {"spark.jars": jars, "spark.jars.packages": "", "spark.jars.excludes": ""} if jars else {}


def _servers() -> dict[str, str]:
    """Servers and their secrets, from Airflow's connections as far as there are any; masked in the task's log."""
    found: dict[str, str] = {}
    for connection, variable in SERVERS.items():
        with suppress(AirflowNotFoundException):
            server = Connection.get(connection)
            mask_secret(quote(server.password or "", safe=""))  # as it stands in the URL
            found[variable] = server.get_uri()
    with suppress(AirflowNotFoundException):
        keys = Connection.get(S3)
        found |= {"AWS_ACCESS_KEY_ID": keys.login or "", "AWS_SECRET_ACCESS_KEY": keys.password or ""}
    return found


@task(trigger_rule=TriggerRule.ALL_DONE, retries=0)
def report(domain: str, ti: Any = None) -> dict[str, Any]:
    """What became of each load, for XCom: also where some have failed, and this task fails then and says which."""
    reports = ti.xcom_pull(task_ids=f"{domain}.load", key=REPORTS)
    if reports == []:
        raise AirflowSkipException(f"none of the tables that were asked for is of {domain}")
    summary = summary_of([Path(file) for file in reports or ()])  # none at all: it did not even begin
    if failure := failure_in(domain, summary):
        ti.xcom_push("return_value", summary)
        raise AirflowFailException(failure)
    return summary


with DAG(
    "ownlens_etl",
    description="All domains into lake, PostgreSQL and ClickHouse",
    doc_md=__doc__,
    schedule=CronTriggerTimetable(SCHEDULE, timezone="Europe/Berlin") if SCHEDULE else None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,  # the ledger knows how far each table is: one run makes up for those that were missed
    max_active_runs=1,
    default_args={
        "retries": 2,
        # a run whose process was killed is given up after a minute: a try before that could not begin
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=20),
    },
    params={
        "tables": Param(
            [],
            type="array",
            uniqueItems=True,
            items={"type": "string", "enum": sorted(name for names in TABLES.values() for name in names)},
            examples=sorted(name for names in TABLES.values() for name in names),
            description="Only these; none: all.",
        ),
        "since": Param(
            None,
            type=["null", "string"],
            format="date-time",
            pattern=INSTANT,
            description="Read again the rows whose watermark is at or after this (UTC).",
        ),
        "until": Param(
            None,
            type=["null", "string"],
            format="date-time",
            pattern=INSTANT,
            description="… and before this (UTC).",
        ),
    },
    tags=["spark"],
) as dag:
    before: list[MainJob] = []
    for wave in waves(TABLES):
        loads = []
        for domain in wave:
            with TaskGroup(domain):
                # a domain whose load has failed keeps no other from its own: rows that lack theirs wait in the ledger
                load = MainJob(task_id="load", domain=domain, pool=POOL, trigger_rule=TriggerRule.ALL_DONE)
                load >> report.override(task_id="report")(domain)
            before >> load
            loads.append(load)
        before = loads
