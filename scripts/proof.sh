#!/bin/sh
# `make test` in a clean clone of what is committed: nothing the tests need may lie about in this folder only.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
clone=$(mktemp -d "${TMPDIR:-/tmp}/ownlens-etl-proof.XXXXXX")
# Reached by the user PostgreSQL runs under, too.
chmod 711 "$clone"

clean_up() {
    if [ -x "$clone/repository/.venv/bin/python" ]; then
        (cd "$clone/repository" && .venv/bin/python -m etl.stack reset) || true
    fi
    rm -rf "$clone"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

git clone --quiet "$root" "$clone/repository"
# The clone must set itself up: no variable of ours may point it back here.
cd "$clone/repository"
env -u ETL_IVY_DIR -u ETL_DATA_DIR -u ETL_TEST_DATA_DIR -u VIRTUAL_ENV make test
