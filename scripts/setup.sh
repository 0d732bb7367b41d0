#!/bin/sh
# Finds a Python that is new enough and lets it do the set-up: scripts/setup.sh [--dev | --page | --orchestrator | --staging | --uploader]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
        exec "$candidate" "$here/setup.py" "$@"
    fi
done
echo "[setup] error: expected Python 3.11 to 3.14 on PATH (or named in \$PYTHON), found none" >&2
exit 1
