"""Builds the Spark session: the only place that sets Spark options. The static ones stand in conf/spark-defaults.conf.

Under spark-submit that session is taken as it is; under plain Python (tests, benchmarks, other tools) a local one is
started from the same file, with the JARs that the set-up has already fetched.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from py4j.java_gateway import JavaGateway, JVMView
from pyspark import SparkConf, SparkContext
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from etl.config.destinations.s3.settings import S3Settings
from etl.errors import UsageError
from etl.project import DEFAULT_CONFIG_DIR, PROJECT_DIR, ivy_dir, log_dir
from etl.spark.class_archive import archive_options
from etl.spark.defaults import jars_listing, read_spark_defaults
from etl.spark.executors import is_local
from etl.spark.shipping.archives import ENVIRONMENT, SHIPPED_PYTHON, code_archive, environment_archive
from etl.spark.start import SPARK_HOME, is_left_to_us, start_jvm
from etl.spark.tls import trust_ca

LOG_CONFIGURATION = DEFAULT_CONFIG_DIR / "log4j2.properties"
TRUST_STORES = ivy_dir() / "trust"
_OF_SUBMISSION = ("spark.master", "spark.driver.", "spark.jars.")
_OF_PYSPARK = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
_DELTA = "io.delta.sql.DeltaSparkSessionExtension"
_KEYS_PROVIDER = "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"
_TEMPORARY_KEYS_PROVIDER = "org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider"
# Profiles, instance roles, web identity: whatever the AWS SDK finds by itself.
_AMBIENT_PROVIDER = "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider"


def build_session(app_name: str = "ownlens-etl", options: Mapping[str, str] | None = None) -> SparkSession:
    """The session of this process, in UTC throughout. `options` apply only where the session is started here."""
    _use_utc_here()
    if _is_under_spark_submit():
        spark = SparkSession.builder.appName(app_name).config(conf=_completed()).getOrCreate()
    elif is_left_to_us():
        start_jvm()
        spark = SparkSession.builder.appName(app_name).getOrCreate()
    else:
        spark = _start_local(app_name, options or {})
    _check_options(spark)
    _use_utc_in_jvm(spark)
    _log_to_file(spark)
    _log_no_exceptions_here()
    _share_code_with_executors(spark)
    return spark


def interpreting(spark: SparkSession) -> SparkSession:
    """A session beside this one whose plans are interpreted, not compiled to Java classes; the values are the same."""
    session = spark.newSession()
    for name, value in {
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.session.timeZone": "UTC",
    }.items():
        session.conf.set(name, value)
    return session


def configure_s3(spark: SparkSession, s3: S3Settings, trust_stores: Path = TRUST_STORES) -> None:
    """Points s3a:// at this store. Keys go to the Hadoop configuration alone: Spark's own would show them in its UI."""
    if s3.uses_tls and not s3.verify:
        raise UsageError(
            "Spark cannot skip the check of the S3 store's certificate; name its CA in a `ca_file` instead"
        )
    if s3.uses_tls and s3.ca_file:
        trust_ca(_gateway(spark), Path(s3.ca_file), kept_in=trust_stores)
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()
    for name, value in s3_options(s3).items():
        hadoop.set(name, value)


def s3_options(s3: S3Settings) -> dict[str, str]:
    """Hadoop's settings of this store, per bucket, so that a second store of a session keeps its endpoint and keys."""
    answer = f"{s3.timeout_seconds}s"
    options = {
        "path.style.access": str(s3.path_style).lower(),
        "endpoint.region": s3.region,
        # of one read of a socket; of a request with all that the SDK tries again
        "connection.timeout": answer,
        "connection.request.timeout": answer,
    }
    if s3.endpoint:
        options["endpoint"] = s3.endpoint
        options["connection.ssl.enabled"] = str(s3.uses_tls).lower()
    options["aws.credentials.provider"] = _credentials_provider(s3)
    if s3.access_key and s3.secret_key:
        options["access.key"] = s3.access_key.get_secret_value()
        options["secret.key"] = s3.secret_key.get_secret_value()
    if s3.session_token:
        options["session.token"] = s3.session_token.get_secret_value()
    return {f"fs.s3a.bucket.{s3.bucket}.{name}": value for name, value in options.items()}


def _credentials_provider(s3: S3Settings) -> str:
    if s3.session_token:
        return _TEMPORARY_KEYS_PROVIDER
    return _KEYS_PROVIDER if s3.access_key else _AMBIENT_PROVIDER


def _completed() -> SparkConf:
    """With those of our options that whoever submitted this has not given (on Kubernetes nobody passes our file), as
    far as they are not about a JVM that runs already."""
    SparkContext._ensure_initialized()
    conf = SparkConf()
    for name, value in read_spark_defaults().items():
        if not name.startswith(_OF_SUBMISSION):
            conf.setIfMissing(name, value)
    return conf


def _start_local(app_name: str, options: Mapping[str, str]) -> SparkSession:
    # Workers run this very Python; anything else would lack our packages.
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    # Its log4j2.properties, for what the JVM says before we can reach it.
    os.environ.setdefault("SPARK_CONF_DIR", str(DEFAULT_CONFIG_DIR))
    os.environ.setdefault("ETL_LOG_DIR", str(log_dir()))
    conf = SparkConf(loadDefaults=False).setAppName(app_name)
    wanted = {**read_spark_defaults(), **_packages(), **options}
    for name, value in {**archive_options(SPARK_HOME, wanted), **wanted}.items():
        conf.set(name, value)
    if SparkContext._gateway is None:
        start_jvm(conf)
    return SparkSession.builder.config(conf=conf).getOrCreate()


def _packages() -> dict[str, str]:
    """The JARs fetched by scripts/setup.py where they are, else Spark's own resolution with our Ivy folder."""
    listing = jars_listing()
    if not listing.exists():
        return {"spark.jars.ivy": str(ivy_dir())}
    return {"spark.jars": listing.read_text(), "spark.jars.packages": "", "spark.jars.excludes": ""}


def _is_under_spark_submit() -> bool:
    return "PYSPARK_GATEWAY_PORT" in os.environ


def _check_options(spark: SparkSession) -> None:
    if _DELTA not in (spark.conf.get("spark.sql.extensions", "") or ""):
        raise UsageError(
            "this Spark session lacks Delta Lake and our options; start it with ./spark-submit.sh or with "
            "`spark-submit --properties-file conf/spark-defaults.conf`"
        )


def _use_utc_here() -> None:
    """Python turns instants into local wall clocks; here and in its workers that is UTC."""
    os.environ["TZ"] = "UTC"
    time.tzset()


def _use_utc_in_jvm(spark: SparkSession) -> None:
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    java_time_zone = _jvm(spark).java.util.TimeZone
    java_time_zone.setDefault(java_time_zone.getTimeZone("UTC"))


def _log_to_file(spark: SparkSession) -> None:
    """From here on, also where spark-submit was started with somebody else's logging."""
    jvm = _jvm(spark)
    jvm.java.lang.System.setProperty("etl.log.dir", str(log_dir()))
    location = jvm.java.net.URI.create(LOG_CONFIGURATION.as_uri())
    jvm.org.apache.logging.log4j.core.config.Configurator.reconfigure(location)


def _log_no_exceptions_here() -> None:
    """PySpark writes each exception to standard error before it raises it, values of rows included; whoever catches it
    says what is to be said."""
    for name in _OF_PYSPARK:
        PySparkLogger.getLogger(name).disabled = True


def _share_code_with_executors(spark: SparkSession) -> None:
    """Functions travel to the executors by name, so they must be able to import this package."""
    context = spark.sparkContext
    if is_local(spark):
        context.environment["PYTHONPATH"] = str(PROJECT_DIR)
        return
    context.addPyFile(str(code_archive()))
    if context.pythonExec == SHIPPED_PYTHON and not _brings_environment(context.getConf()):
        context.addArchive(f"{environment_archive()}#{ENVIRONMENT}")


def _brings_environment(conf: SparkConf) -> bool:
    """Whether spark-submit was given the archive: the driver runs on a machine of the cluster, too."""
    brought = ",".join(str(conf.get(name, "")) for name in ("spark.archives", "spark.yarn.dist.archives"))
    return any(each.endswith(f"#{ENVIRONMENT}") for each in brought.split(","))


def _jvm(spark: SparkSession) -> JVMView:
    """Logging, time zone and Hadoop's configuration have no door in PySpark's public API."""
    return _gateway(spark).jvm


def _gateway(spark: SparkSession) -> JavaGateway:
    gateway = spark.sparkContext._gateway
    if gateway is None:
        raise UsageError("this Spark session has no JVM of its own (Spark Connect?); start it with ./spark-submit.sh")
    return gateway
