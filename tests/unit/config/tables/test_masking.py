"""Hashes and masks that cannot be: said with line, nearest name and a way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etl.config.servers import secrets_of
from etl.config.tables.masking import objections
from etl.config.tables.models import PostgreSQLSource, TableConfig, TransformConfig
from etl.model import ColumnDefinition, TableDefinition, TableKind
from tests.unit.config.conftest import Folder

KEY = "0123456789abcdef0123456789abcdef"
WITH_KEY = {"ETL_MASK_KEY": KEY}
WITH_POSTGRESQL = {**WITH_KEY, "ETL_POSTGRES_URL": "postgresql://etl:pw@localhost/warehouse"}
HOW = "set ETL_MASK_KEY (32 characters or more, such as $(openssl rand -hex 32)), or ETL_MASK_KEY_FILE"

SCHEMA = """
CREATE TABLE people (
    id bigint PRIMARY KEY,
    card text,
    zip character varying(10) NOT NULL,
    born date,
    seen timestamptz,
    income numeric(12, 2),
    wei numeric,
    height double precision,
    tags text[],
    profile jsonb
);
"""


def faults_of(folder: Folder, transform: str, environ: dict[str, str] | None = None) -> list[str]:
    """Of a table `people`, without the place: it is the same in all."""
    folder.write("schema.sql", SCHEMA)
    folder.tables(f"tables:\n  people:\n    kind: reference\n    transform: {transform}\n")
    faults = folder.faults(WITH_KEY if environ is None else environ)
    assert all(fault.startswith(("tables/shop.yaml:4: ", "environment: ")) for fault in faults), faults
    return [fault.removeprefix("tables/shop.yaml:4: ") for fault in faults]


@pytest.mark.parametrize(
    "mask",
    [
        "card: {partial: {last: 4}}",
        "card: {partial: {first: 6, last: 4, fill: '#'}}",
        "id: {tokenise: {domain: person}}",
        "id: tokenise",
        "id: hmac",
        "card: redact",
        "zip: {redact: n/a}",
        "born: {redact: null}",
        "born: {truncate: year}",
        "seen: {truncate: month}",
        "zip: {truncate: 3}",
        "income: {truncate: 0.5}",
        "income: {truncate: 1000}",
        "height: {truncate: 10}",
    ],
)
def test_what_fits_has_no_fault(folder: Folder, mask: str) -> None:
    assert faults_of(folder, f"{{mask: {{{mask}}}}}") == []


@pytest.mark.parametrize(
    ("mask", "fault"),
    [
        ("card: redcat", "card: unknown value 'redcat'; did you mean 'redact'?"),
        ("card: {partail: {last: 4}}", None),
        ("card: {partial: {lats: 4}}", None),
        ("card: {partial: {}}", "expected `first` or `last`, the characters that stand; to show none write `redact`"),
        ("card: {partial: {last: -1}}", "card.partial.last: should be greater than or equal to 0; found -1"),
        ("card: {partial: {last: 4, fill: '**'}}", "card.partial.fill: String should have at most 1 character"),
        ("card: {partial: {last: 4}, redact: x}", "partial, redact, tokenise, truncate; found partial and redact"),
        ("card: {}", "expected one of partial, redact, tokenise, truncate; found none"),
        ("card: {partial: null}", "partial has no parameters; found null"),
        ("card: [email]", "card: unknown value a list; "),
        ("born: {truncate: yaer}", "born.truncate: unknown value 'yaer'; did you mean 'year'?"),
        ("card: {truncate: 0}", "card.truncate: should be greater than 0; found 0"),
        ("card: {tokenise: {domain: ''}}", "card.tokenise.domain: "),
        ("crad: redact", "table people has no column 'crad'; did you mean 'card'?"),
        ("born: {partial: {last: 4}}", "partial is for texts and exact numbers, found date"),
        ("profile: {partial: {last: 4}}", "partial is for texts and exact numbers, found jsonb"),
        ("card: {truncate: year}", "truncate: year is for dates and timestamps, found text"),
        ("card: {truncate: 2.5}", "truncate: 2.5 of text means characters; expected a whole number"),
        ("born: {truncate: 3}", "for texts and numbers (year, month: for dates and timestamps), found date"),
        ("tags: {truncate: 3}", "found text[]"),
        ("income: {truncate: 0.001}", "hides nothing of numeric(12,2) or is no multiple of its last digit (0.01)"),
        ("income: {truncate: 0.01}", "hides nothing of numeric(12,2)"),
        ("wei: {truncate: 10}", "a numeric travels as text and has no steps; give it a precision in `cast`"),
        ("height: {truncate: 0.1}", "truncate: 0.1 hides nothing of double precision; expected a whole step"),
        ("id: {truncate: 10}", "id must stay unique; use `hash` or `drop` for it, or the masks hmac or tokenise"),
        ("id: all", "id must stay unique"),
        ("zip: {redact: null}", "zip is never NULL, and stores hold it so; give `redact` a text, or `drop` it"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(folder: Folder, mask: str, fault: str | None) -> None:
    (found,) = faults_of(folder, f"{{mask: {{{mask}}}}}")
    assert found.startswith("transform.mask") or "in transform.mask.card" in found
    if fault is not None:
        assert fault in found
    else:
        assert "did you mean 'partial'?" in found or "did you mean 'last'?" in found


def test_of_a_cast_column_the_type_that_it_is_cast_to_counts(folder: Folder) -> None:
    assert faults_of(folder, "{cast: {card: date}, mask: {card: {truncate: year}}}") == []
    (fault,) = faults_of(folder, "{cast: {born: text}, mask: {born: {truncate: year}}}")
    assert "found text" in fault


def test_a_column_is_hashed_or_masked(folder: Folder) -> None:
    assert faults_of(folder, "{hash: [card], mask: {card: hmac}}") == [
        "transform.mask.card: the column is hashed, too; keep `hash` or `mask` of it"
    ]


@pytest.mark.parametrize("mask", ["hmac", "tokenise", "{tokenise: {domain: person}}"])
def test_what_is_made_by_a_key_needs_one(folder: Folder, mask: str) -> None:
    (fault,) = faults_of(folder, f"{{mask: {{card: {mask}}}}}", {})
    assert fault.endswith(f"needs a key, which comes from the environment; {HOW}")


def test_without_such_masks_no_key_is_asked_for(folder: Folder) -> None:
    assert faults_of(folder, "{mask: {card: {partial: {last: 4}}}, hash: [zip]}", {}) == []


def test_the_key_may_be_in_a_file(folder: Folder, tmp_path: Path) -> None:
    file = tmp_path / "mask.key"
    file.write_text(f"{KEY}\n")
    settings = folder.tables("tables:\n  orders: {kind: reference}\n").load({"ETL_MASK_KEY_FILE": str(file)}).settings
    assert settings.mask_key.get_secret_value() == KEY
    assert KEY in secrets_of(settings)
    assert KEY not in repr(settings)


def test_a_key_that_cannot_be_used_is_said_and_not_shown(folder: Folder, tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\n")
    binary.write_bytes(b"\xff\xfe")
    expected: dict[str, dict[str, str]] = {
        f"the key of masks has 6 characters; expected 32 or more: {HOW}": {"ETL_MASK_KEY": "hunter"},
        f"the key of masks holds bytes that are no UTF-8; expected text: {HOW}": {"ETL_MASK_KEY": "\udcff" * 40},
        "ETL_MASK_KEY and ETL_MASK_KEY_FILE are both set; keep one of them": {**WITH_KEY, "ETL_MASK_KEY_FILE": "x"},
        "ETL_MASK_KEY_FILE: expected a file with the key, found No such file or directory at /no/key": {
            "ETL_MASK_KEY_FILE": "/no/key"
        },
        "ETL_MASK_KEY_FILE: expected the key in empty, found nothing in it": {"ETL_MASK_KEY_FILE": str(empty)},
        "ETL_MASK_KEY_FILE: expected text in binary, found bytes that are no UTF-8": {"ETL_MASK_KEY_FILE": str(binary)},
    }
    for message, environ in expected.items():
        assert faults_of(folder, "{}", environ) == [f"environment: {message}"]


def test_partitions_are_cut_by_a_date(folder: Folder) -> None:
    entry = "tables:\n  orders:\n    kind: snapshot\n    date_column: order_date\n    transform: {%s}\n"
    reason = (
        "order_date is the date_column, by which partitions are cut; it may be truncated to a month or year, no more"
    )
    for step, column in (("hash", "hash: [order_date]"), ("mask", "mask: {order_date: all}")):
        found = folder.tables(entry % column).faults()
        assert found == [f"tables/shop.yaml:5: transform.{step}.order_date: {reason}"]
    assert folder.tables(entry % "mask: {order_date: {truncate: month}}").faults() == []
    touched = entry % "mask: {order_date: {truncate: month}}" + "    clickhouse: {mode: replace_partition}\n"
    (found,) = folder.tables(touched).faults()
    assert "transform.mask: 'order_date' is the date_column of table orders, and clickhouse replaces whole" in found


def test_a_version_stays_what_it_is(folder: Folder) -> None:
    entry = "tables:\n  orders:\n    kind: snapshot\n    clickhouse: {version: updated_at}\n    transform: {%s}\n"
    (found,) = folder.tables(entry % "mask: {updated_at: {truncate: year}}").faults()
    assert "updated_at is the version of clickhouse, by which the row that stays is found" in found


TOKEN = "{tokenise: {domain: customer}}"


@pytest.mark.parametrize(
    ("orders", "customers", "found"),
    [
        (f"mask: {{customer_id: {TOKEN}}}", f"mask: {{customer_id: {TOKEN}}}", None),
        ("mask: {customer_id: hmac}", "mask: {customer_id: hmac}", None),
        ("hash: [customer_id]", "hash: [customer_id]", None),
        ("", f"mask: {{customer_id: {TOKEN}}}", "is as it is, customer_id is tokenised in the domain customer"),
        ("hash: [customer_id]", "", "customer_id is hashed, customer_id is as it is"),
        (
            "mask: {customer_id: tokenise}",
            "mask: {customer_id: tokenise}",
            "tokenised in the domain orders.customer_id, customer_id is tokenised in the domain customers.customer_id",
        ),
        ("mask: {customer_id: all}", "", "customer_id is masked (all), customer_id is as it is"),
        ("hash: [customer_id], derive: {customer_id: upper(customer_id)}", "", None),
        ("hash: [customer_id], transformer: ConsentState", "", None),
        ("drop: [customer_id]", f"mask: {{customer_id: {TOKEN}}}", None),
    ],
)
def test_a_foreign_key_is_protected_as_its_parent_is(
    folder: Folder, orders: str, customers: str, found: str | None
) -> None:
    tables = (
        "tables:\n"
        f"  orders:\n    kind: snapshot\n    transform: {{{orders}}}\n    %s\n"
        f"  customers:\n    kind: snapshot\n    transform: {{{customers}}}\n"
    )
    faults = folder.tables(tables % "").faults(WITH_POSTGRESQL)
    assert len(faults) == (0 if found is None else 1)
    assert all(found is not None and found in fault for fault in faults)
    assert folder.faults(WITH_KEY) == [], "nothing is loaded into PostgreSQL"
    assert folder.tables(tables % "postgresql: {foreign_keys: false}").faults(WITH_POSTGRESQL) == []
    assert folder.tables(tables % "postgresql: {enabled: false}").faults(WITH_POSTGRESQL) == []


def test_a_nullable_foreign_key_may_be_redacted(folder: Folder) -> None:
    folder.write(
        "schema.sql", "CREATE TABLE p (id int PRIMARY KEY);\nCREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p);\n"
    )
    folder.tables("tables:\n  p: {kind: reference}\n  c: {kind: reference, transform: {mask: {p: {redact: null}}}}\n")
    assert folder.faults(WITH_POSTGRESQL) == []


@pytest.mark.parametrize(
    ("transform", "columns"),
    [
        ({"mask": {"id": "all"}}, ["id"]),
        ({"mask": {"mail": {"redact": None}}}, ["mail"]),
        ({"mask": {"id": "hmac", "mail": "email"}}, []),
        ({"rename": {"id": "key"}, "mask": {"key": {"truncate": 2}}}, ["key"]),
    ],
)
def test_a_schema_that_only_the_live_source_knows_is_looked_at_as_well(
    transform: dict[str, Any], columns: list[str]
) -> None:
    table = TableConfig(
        name="people",
        domain="shop",
        kind=TableKind.REFERENCE,
        source=PostgreSQLSource(table="people"),
        transform=TransformConfig(**transform),
    )
    definition = TableDefinition(
        "people",
        (ColumnDefinition("id", "bigint", nullable=False), ColumnDefinition("mail", "text", nullable=False)),
        ("id",),
    )
    assert list(objections(table, None)) == []
    assert [column for _, column, _ in objections(table, definition)] == columns
