"""Where the page may listen, and whom it believes where a request came from."""

from __future__ import annotations

from pathlib import Path

from etl.api.security.users import Users
from etl.command.typed import etl_as_typed
from etl.config.configuration import load_settings
from etl.config.page import KEY_VARIABLE, PageSettings
from etl.errors import UsageError
from etl.staging.database.checks import check_ledger
from etl.staging.database.database import StagingDatabase

_MAKES_ONE = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'


def page_of(config_dir: Path, host: str | None, port: int | None, *, no_sign_in: bool) -> PageSettings:
    """The configuration's, with what the command line says instead."""
    page = load_settings(config_dir).page
    said = {"host": host, "port": port, "sign_in": False if no_sign_in else None}
    return page.model_copy(update={key: value for key, value in said.items() if value is not None})


def check_door(page: PageSettings, database: StagingDatabase) -> None:
    """Refuses a ledger that is not there, and to listen where others come in without users, a secret and a name."""
    _check_page(page)
    check_ledger(database)
    if page.oidc is None and page.opened_by and not Users(database).are_any():
        add = f"{etl_as_typed()} api user add NAME --role operator"
        raise UsageError(f"{_beyond(page)} expected users, found none; run `{add}`")


def _check_page(page: PageSettings) -> None:
    if page.opened_by is None:
        return
    if not page.sign_in:
        raise UsageError(f"{_beyond(page)} everybody signs in; leave `sign_in: false` and --no-sign-in out")
    if page.secret is None:
        raise UsageError(f"{_beyond(page)} expected a secret, found none; set {KEY_VARIABLE} ({_MAKES_ONE})")
    if not page.hosts:
        raise UsageError(f"{_beyond(page)} expected the name that browsers know it by; set page.public_url")


def _beyond(page: PageSettings) -> str:
    return f"{page.opened_by}: where others can reach it,"
