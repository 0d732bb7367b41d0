"""docs/doctor.md names every check there is."""

from __future__ import annotations

import re
import time

from etl.config.configuration import load_configuration
from etl.doctor.asked import Asked
from etl.doctor.subjects import subjects
from etl.project import DEFAULT_CONFIG_DIR, PROJECT_DIR
from etl.stack.environment import as_if_started

OF_ANY_POSTGRESQL = "each PostgreSQL"


def documented() -> dict[str, set[str]]:
    """The checks of each subject, as the table has them."""
    found: dict[str, set[str]] = {}
    subject = ""
    for line in (PROJECT_DIR / "docs" / "doctor.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3:
            subject = cells[0] or subject
            for name in re.findall(r"`(\w+)`", subject) or [subject]:
                found.setdefault(name, set()).update(re.findall(r"`(\w+)`", cells[1]))
    return found


def test_every_check_has_its_row() -> None:
    configuration = load_configuration(DEFAULT_CONFIG_DIR, as_if_started({}, DEFAULT_CONFIG_DIR))
    named = documented()
    for each in subjects(Asked(configuration, (), {}, time.time)):
        own, common = named[each.name], named[OF_ANY_POSTGRESQL]
        is_postgresql = each.name in ("source", "postgresql", "ledger", "staging", "orchestrator")
        assert set(each.checks) <= (own | common if is_postgresql else own), each.name
        assert own <= set(each.checks), each.name
