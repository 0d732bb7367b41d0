"""Runs the ClickHouse server that the chdb wheel carries, in this process: `python clickhouse_server.py CONFIG`.

A script of its own and not a module of the package: the process holds the server and nothing else.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

# The server's main(), by its C++ name. chdb 3.7.2 is the last version that exports it.
_ENTRY_POINT = "_Z25mainEntryClickHouseServeriPPc"


def main(config_file: str) -> int:
    library = ctypes.CDLL(str(_library()), os.RTLD_NOW | os.RTLD_GLOBAL)
    arguments = [b"clickhouse-server", f"--config-file={config_file}".encode()]
    argument_array = (ctypes.c_char_p * (len(arguments) + 1))(*arguments, None)
    return int(getattr(library, _ENTRY_POINT)(len(arguments), argument_array))


def _library() -> Path:
    spec = importlib.util.find_spec("chdb")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the package chdb, which holds ClickHouse, is not installed; run `make setup`")
    return next(Path(spec.submodule_search_locations[0]).glob("_chdb*.so"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
