"""How a user calls us: messages name commands that can be typed as they stand."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def etl_as_typed() -> str:
    """`etl` where the shell finds ours by that name, else with its path; of no set-up of ours as a module."""
    ours = Path(sys.executable).with_name("etl")
    if not ours.is_file():
        return "python -m etl"
    found = shutil.which("etl")
    return "etl" if found and Path(found).samefile(ours) else shlex.quote(str(ours))
