"""What Airflow has to know of the main job: its domains, how it is asked for, and what it answered.

Nothing of Airflow or `etl` is imported: neither needs the other in its environment.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FIRST = ("base", "company")
"""Whom all others refer to, one after the other (they refer to each other, too)."""
LAST = ("audit", "customer")
"""They refer to domains that are neither of those."""

ROWS = ("rows_read", "rows_inserted", "rows_updated", "rows_unchanged", "rows_rejected", "rows_deleted")
LONGEST_ERROR = 500
NO_REPORT = "no report"
"""A status beside those of docs/report.schema.json."""
NO_RUN = "the last try ended before its run did"


def tables_by_domain(config_dir: Path) -> dict[str, list[str]]:
    """Of each domain its tables, by the rules of docs/configuration.md: a file's `domain`, else its name."""
    tables: dict[str, list[str]] = {}
    for file in sorted(path for path in (config_dir / "tables").iterdir() if path.suffix in (".yaml", ".yml")):
        document = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        tables.setdefault(document.get("domain") or file.stem, []).extend(document.get("tables") or ())
    return tables


def waves(domains: Iterable[str]) -> list[list[str]]:
    """Domains of one wave refer to those of earlier ones. What is left over, as in a cycle, is no loss: rows that come
    before those they refer to wait in the ledger, and each run ends with putting in whatever waits."""
    known = list(domains)
    middle = [domain for domain in known if domain not in (*FIRST, *LAST)]
    ordered = [*([domain] for domain in FIRST), middle, list(LAST)]
    return [present for wave in ordered if (present := [domain for domain in wave if domain in known])]


def chosen(tables: Sequence[str], asked_for: Sequence[str]) -> list[str]:
    """Those of a domain's tables that a DAG run asks for; one that names none asks for all."""
    return [table for table in tables if not asked_for or table in asked_for]


@dataclass(frozen=True)
class Request:
    """One load of a domain, however often it is tried: its tries are one run and its resumptions."""

    key: str
    domain: str
    destinations: str
    config_dir: Path
    report_dir: Path

    def report(self, attempt: int) -> Path:
        return self.report_dir / f"{self.domain}-{hashlib.sha256(self.key.encode()).hexdigest()[:16]}-{attempt}.json"

    def arguments(
        self, tables: Sequence[str], attempt: int, since: str | None = None, until: str | None = None
    ) -> list[str]:
        """The main job's command line. No tables: all of the domain."""
        return [
            *("--load-destinations", self.destinations),
            *(("--tables", ",".join(tables)) if tables else ("--domains", self.domain)),
            *(("--since", since) if since else ()),
            *(("--until", until) if until else ()),
            *("--idempotency-key", self.key),
            *("--config-dir", str(self.config_dir)),
            *("--report", str(self.report(attempt))),
        ]


def summary_of(reports: Sequence[Path]) -> dict[str, Any]:
    """What became of a domain's load, from the reports of its tries in their order: of each table and destination the
    latest try. A try that was killed, or could not begin, has left none; where the last has not, the load has failed.
    """
    found = [json.loads(file.read_text(encoding="utf-8")) for file in reports if file.exists()]
    loads = {(load["table"], load["destination"]): _short(load) for report in found for load in report["loads"]}
    rows: Counter[str] = Counter()
    for load in loads.values():
        rows.update({name: load[name] for name in ROWS})
    return {
        "status": found[-1]["status"] if reports and reports[-1].exists() else NO_REPORT,
        "runs": list(dict.fromkeys(report["run_id"] for report in found)),
        "rows": dict(rows),
        "loads": list(loads.values()),
    }


def _short(load: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: load[name] for name in ("table", "destination", "status", *ROWS, "seconds")}
    error = load["error"]
    return told | ({"error": error if len(error) <= LONGEST_ERROR else error[:LONGEST_ERROR] + " …"} if error else {})


def failure_in(domain: str, summary: Mapping[str, Any]) -> str | None:
    """In words what has failed; None where all went well."""
    if summary["status"] == "success":
        return None
    failed = [load for load in summary["loads"] if load["status"] == "failed"]
    lines = [f"{domain}: {len(failed)} of {len(summary['loads'])} loads failed"] if failed else []
    lines += [f"  {load['table']} into {load['destination']}: {load['error']}" for load in failed]
    if summary["status"] == NO_REPORT or not failed:
        lines.append(f"{domain}: {NO_RUN}; the log of {domain}.load says why")
    return "\n".join(lines)


@dataclass(frozen=True)
class Ended:
    """How spark-submit ended, which is how the main job did; `said`: its last lines."""

    exit_code: int
    said: str

    @classmethod
    def read(cls, message: str) -> Ended | None:
        """From what SparkSubmitHook raises, which has the whole command before that; None where it did not start."""
        found = re.search(r"Error code is: (-?\d+)\.", message)
        return cls(int(found[1]), message.rpartition("Last spark-submit output:\n")[2]) if found else None

    @property
    def is_bad_use(self) -> bool:
        """Of command line or configuration, which no retry mends."""
        return self.exit_code == 2

    def explained(self, domain: str, reports: Sequence[Path]) -> str:
        """What has failed, from the report of this try; where it left none, in its own last words."""
        if reports[-1].exists() and (failure := failure_in(domain, summary_of(reports))):
            return f"{failure}\n(exit code {self.exit_code})"
        return f"{domain}: {NO_RUN} (exit code {self.exit_code}); it said last:\n{self.said}"
