"""The page's users, as the database knows them. Every change is an event in it, in the same transaction."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from etl.api.models import Role
from etl.api.security.passwords import check_strength, hashed
from etl.errors import UsageError
from etl.nearest import suggestion
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.queries import statement

_NAME = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]{1,200}")


@dataclass(frozen=True)
class KnownUser:
    name: str
    role: Role
    created_at: datetime
    password_changed_at: datetime
    signed_in_at: datetime | None
    sessions: int
    """That are open."""


@dataclass(frozen=True)
class Credential:
    name: str
    role: Role
    password_hash: str


class Users:
    """`done_by`: who makes the changes, for the record."""

    def __init__(self, database: StagingDatabase, done_by: str | None = None) -> None:
        self._database = database
        self._done_by = done_by

    def add(self, name: str, role: Role, password: str) -> None:
        if not _NAME.fullmatch(name):
            raise UsageError(f"user {name!r}: expected 1 to 200 characters without spaces")
        check_strength(password, name)
        password_hash = hashed(password)
        with self._database.transaction("add user") as cursor:
            cursor.execute(statement("add_user"), {"name": name, "role": role.value, "password_hash": password_hash})
            if cursor.fetchone() is None:
                raise UsageError(f"user {name!r} is there already; `role` and `password` change one")
            record(cursor, "user_added", name, done_by=self._done_by, detail=role.value)

    def list(self) -> list[KnownUser]:
        with self._database.rows("list users") as cursor:
            cursor.execute(statement("list_users"))
            return [KnownUser(**{**row, "role": Role(row["role"])}) for row in cursor.fetchall()]

    def are_any(self) -> bool:
        with self._database.transaction("look for users") as cursor:
            cursor.execute(statement("has_users"))
            ((has_users,),) = cursor.fetchall()
        return bool(has_users)

    def find(self, name: str) -> Credential | None:
        # PostgreSQL holds no NUL: no user is called so
        if not _NAME.fullmatch(name):
            return None
        with self._database.rows("find user") as cursor:
            cursor.execute(statement("find_user"), {"name": name})
            row = cursor.fetchone()
        return Credential(row["name"], Role(row["role"]), row["password_hash"]) if row else None

    def set_role(self, name: str, role: Role) -> None:
        """Counts from the next request on."""
        self._change("set_role", {"name": name, "role": role.value}, "role_changed", role.value)

    def set_password(self, name: str, password: str) -> None:
        """Signs the user out everywhere."""
        check_strength(password, name)
        self._change("set_password", {"name": name, "password_hash": hashed(password)}, "password_changed")

    def rehash(self, credential: Credential, password: str) -> None:
        new = {"name": credential.name, "password_hash": hashed(password), "old_hash": credential.password_hash}
        with self._database.transaction("rehash password") as cursor:
            cursor.execute(statement("rehash_password"), new)

    def remove(self, name: str) -> None:
        """With all sessions."""
        self._change("remove_user", {"name": name}, "user_removed")

    def _change(self, change: str, values: dict[str, str], event: str, detail: str | None = None) -> None:
        name = values["name"]
        with self._database.transaction(change.replace("_", " ")) as cursor:
            cursor.execute(statement(change), values)
            is_known = cursor.fetchone() is not None
            if is_known:
                record(cursor, event, name, done_by=self._done_by, detail=detail)
        if not is_known:
            raise UsageError(f"unknown user {name!r}; {suggestion(name, [user.name for user in self.list()])}")


def record(
    cursor: Cursor,
    event: str,
    name: str | None,
    *,
    done_by: str | None = None,
    address: str | None = None,
    detail: str | None = None,
) -> None:
    """Writes down what was done, in the transaction that does it."""
    values = {"event": event, "etl_user": name, "done_by": done_by, "address": address, "detail": detail}
    cursor.execute(statement("record_user_event"), values)
