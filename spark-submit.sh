#!/bin/sh
# Sets up whatever is missing, starts the embedded servers for what you have not configured yourself, and runs a job:
#   ./spark-submit.sh jobs/run_etl.py --load-destinations s3,postgresql,clickhouse
# Options of spark-submit go before the job's file. The exit code is the job's.
set -eu

root=$(cd "$(dirname "$0")" && pwd)
python="$root/.venv/bin/python"

say() {
    echo "[spark-submit.sh] $*" >&2
}

# -P: whatever lies in the working directory is not ours to import.
module() {
    PYTHONPATH="$root" "$python" -P -m "$@"
}

if [ $# -eq 0 ]; then
    say "usage: ./spark-submit.sh [spark-submit's options] jobs/run_etl.py [the job's options]"
    exit 2
fi

# What the arguments say that matters here; each is put back as it came, the job's file with its full path.
job=""
is_asking=false
is_here=true
master=local
config_dir="$root/conf"
previous=""
for argument in "$@"; do
    shift
    case "$argument" in
    *.py)
        if [ -z "$job" ] && [ ! -e "$argument" ] && [ -e "$root/$argument" ]; then
            argument="$root/$argument"
        fi
        job="${job:-$argument}"
        ;;
    -h | --help)
        if [ -n "$job" ]; then is_asking=true; fi
        ;;
    --config-dir=*) config_dir="${argument#*=}" ;;
    --deploy-mode=cluster | *deployMode=cluster) if [ -z "$job" ]; then is_here=false; fi ;;
    --master=* | spark.master=*) if [ -z "$job" ]; then master="${argument#*=}"; fi ;;
    esac
    case "$previous" in
    --config-dir) config_dir="$argument" ;;
    --deploy-mode) if [ -z "$job" ] && [ "$argument" = cluster ]; then is_here=false; fi ;;
    --master) if [ -z "$job" ]; then master="$argument"; fi ;;
    esac
    previous="$argument"
    set -- "$@" "$argument"
done
config_dir=$(cd "$config_dir" 2>/dev/null && pwd || echo "$config_dir")

case "$is_here $master" in
"false spark://"*)
    say "a standalone cluster runs no Python job with --deploy-mode cluster: leave that out, and the driver runs here;"
    say "docs/cluster.md has ways to run it elsewhere"
    exit 2
    ;;
esac

"$root/scripts/setup.sh"
# What a job's flags are needs neither Spark nor a server.
if $is_asking; then
    exec "$python" "$job" --help
fi
ivy=$(cd "${ETL_IVY_DIR:-$root/.ivy}" && pwd)

# Nor does it to see that a run cannot begin. Servers of yours, named by environment variables or etl.yaml, are used as
# they are; the rest is embedded, where the driver runs here: a cluster's machines have folders and variables of their
# own.
variables=""
if $is_here; then
    # with the packages of yours that the job will find
    variables=$(PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" "$python" -P -m etl.submission "$config_dir" "$@")
fi
eval "$variables"
if [ -n "$variables" ]; then
    case "$master" in
    local*) ;;
    *) say "the embedded servers listen on this machine alone: executors on others do not reach them" ;;
    esac
    say "the embedded servers stay up after the job; to look at the data, in $root:"
    say "  eval \"\$(.venv/bin/etl stack env)\"   then: psql \"\$ETL_POSTGRES_URL\", curl \"\$ETL_CLICKHOUSE_URL\", …"
    say "  stop them: make down   stop them and delete their data: .venv/bin/etl stack reset"
fi

export TZ=UTC
# Java has no letters but ASCII's for file names there.
case "${LC_ALL:-}" in
C | POSIX) export LC_ALL=C.UTF-8 ;;
esac
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
export ETL_LOG_DIR="${ETL_LOG_DIR:-$root/logs}"
export SPARK_CONF_DIR="${SPARK_CONF_DIR:-$root/conf}"
export PYSPARK_DRIVER_PYTHON="$python"
# The Spark of .venv, which the pinned packages belong to, not one that happens to be installed.
unset SPARK_HOME

# The JARs that the set-up fetched: used where they lie, or sent to a cluster's machines.
jars=$(cat "$ivy"/spark-jars-*.txt)
case "$is_here $master" in
*" local"*)
    export SPARK_LOCAL_IP="${SPARK_LOCAL_IP:-127.0.0.1}" PYSPARK_PYTHON="${PYSPARK_PYTHON:-$python}"
    ;;
"false k8s://"*) jars="" ;; # the image has them, and all else
"true "* | "false yarn"*)
    jars=$(echo "$jars" | sed 's/local:/file:/g')
    # Of the archive that they are sent; whoever names another Python has our packages there already.
    export PYSPARK_PYTHON="${PYSPARK_PYTHON:-./environment/bin/python}"
    ;;
esac
set -- --conf "spark.jars=$jars" --conf spark.jars.packages= --conf spark.jars.excludes= "$@"
if [ "$is_here $master" = "false yarn" ]; then
    while read -r option; do
        set -- --conf "$option" "$@"
    done <<OPTIONS
$(module etl.spark.shipping)
OPTIONS
fi

say "running ${job:-the job}; Spark's own log: $ETL_LOG_DIR/spark.log"
set -- "$root/.venv/bin/spark-submit" --properties-file "$root/conf/spark-defaults.conf" --conf "spark.jars.ivy=$ivy" "$@"
# exec: signals and the exit code are the job's own, or those of spark-submit that sends it to the cluster's machines.
if $is_here; then
    exec "$python" "$root/scripts/submit.py" "$@"
fi
exec "$@"
