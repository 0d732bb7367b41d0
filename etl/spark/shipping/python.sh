#!/bin/sh
# This machine's own Python @VERSION@, with the packages that came beside this file.
# Nothing here asks for PATH or HOME: Spark's workers may have neither.
environment=$(cd "${0%/bin/python}" && pwd)
export PYTHONPATH="$environment/packages${PYTHONPATH:+:$PYTHONPATH}"
# The driver's variables, for those who send them as a file (--files etl.env); an executor calls `python -m …`.
case "${1:--}" in
-*) ;;
*) if [ -r ./etl.env ]; then set -a && . ./etl.env && set +a; fi ;;
esac
for python in "${ETL_EXECUTOR_PYTHON:-}" "$(command -v python@VERSION@)" \
    /usr/local/bin/python@VERSION@ /usr/bin/python@VERSION@ /opt/conda/bin/python@VERSION@; do
    if [ -x "$python" ]; then
        exec "$python" "$@"
    fi
done
echo "expected Python @VERSION@, as the driver has it, on this machine, found none on PATH or in /usr/local/bin," \
    "/usr/bin, /opt/conda/bin; install it, or name it by spark.executorEnv.ETL_EXECUTOR_PYTHON" >&2
exit 127
