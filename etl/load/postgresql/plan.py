"""What a load would do, as text, for --dry-run."""

from __future__ import annotations

from etl.load.postgresql.modes import MODES
from etl.load.postgresql.publication.table import Publication
from etl.load.postgresql.target.creation import creation_steps
from etl.load.postgresql.transfer.run_table import describe_staging
from etl.statements.postgresql.tables import add_foreign_key, create_table


def plan_steps(publication: Publication) -> list[str]:
    """DDL first, then staging, then the publishing statements in their order; writes nothing."""
    write = publication.write
    columns = (*write.columns, *write.extras)
    return [
        *publication.agreement.ddl,
        *describe_staging(columns, write.staging, publication.config.copy_format),
        "BEGIN",
        *_writes(publication),
        *([add_foreign_key(link) for link in publication.design.links] if publication.is_new else []),
        f"DROP TABLE {write.staging.sql}",
        "COMMIT",
    ]


def _writes(publication: Publication) -> list[str]:
    write = publication.write
    if publication.is_new:
        shape = create_table(write.target, publication.design.new_columns)
        return [f"-- {shape}", *creation_steps(publication.design, write)]
    return MODES[publication.config.mode].steps(publication)
