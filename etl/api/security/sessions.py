"""Sessions in the database: one process of the page knows those that another began, and a restart ends none."""

from __future__ import annotations

from dataclasses import dataclass

from etl.api.models import Role, User
from etl.api.security.tokens import Tokens, new_token
from etl.api.security.users import Credential, record
from etl.config.page import PageSettings
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.queries import statement


class Visitor(User):
    """`provider`: who vouches for a name that may be a password user's as well."""

    provider: str | None = None


def signature_of(user: User) -> str:
    """As audits have it."""
    provider = user.provider if isinstance(user, Visitor) else None
    return f"{user.name} ({provider})" if provider else user.name


@dataclass(frozen=True)
class Sessions:
    database: StagingDatabase
    tokens: Tokens
    page: PageSettings

    def start(self, credential: Credential, address: str, old_token: str | None) -> str | None:
        """A token that nobody has had before; the session that the browser came with has ended. None where the user
        was removed, or got another password, while this one was checked."""
        start = {
            "etl_user": credential.name,
            "name": credential.name,
            "password_hash": credential.password_hash,
        }
        return self._start(start, address, old_token, "password")

    def start_foreign(self, user: User, issuer: str, address: str, old_token: str | None) -> str | None:
        """Of a user whom an OpenID provider vouches for."""
        return self._start({"name": user.name, "role": user.role.value}, address, old_token, issuer)

    def find(self, token: str, *, is_attended: bool) -> User | None:
        """Who it is, where the session has ended neither by its age nor by idleness; now it was used, if it was by
        somebody."""
        with self.database.rows("find session") as cursor:
            key = {"token_digest": self.tokens.digest(token)}
            cursor.execute(statement("find_session"), {**key, "idle_seconds": self._idle_seconds})
            row = cursor.fetchone()
            if row is None:
                return None
            if row["is_due"] and is_attended:
                cursor.execute(statement("touch_session"), key)
        provider = self.page.oidc.issuer if row["is_foreign"] and self.page.oidc else None
        return Visitor(name=row["name"], role=Role(row["role"]), provider=provider)

    def end(self, token: str, address: str) -> None:
        with self.database.transaction("end session") as cursor:
            cursor.execute(statement("end_session"), {"token_digest": self.tokens.digest(token)})
            for name, _ in cursor.fetchall():
                record(cursor, "signed_out", name, address=address)

    def record_refusal(self, name: str | None, address: str, why: str) -> None:
        """`name`: None where there is no such user; what was typed there may be a password."""
        with self.database.transaction("record refused sign-in") as cursor:
            record(cursor, "sign_in_refused", name, address=address, detail=why)

    @property
    def _idle_seconds(self) -> float:
        return self.page.idle_minutes * 60

    def _start(self, start: dict[str, str], address: str, old_token: str | None, how: str) -> str | None:
        token = new_token()
        values = {
            **dict.fromkeys(("etl_user", "role", "password_hash")),
            **start,
            "token_digest": self.tokens.digest(token),
            "seconds": self.page.session_hours * 3600,
        }
        with self.database.transaction("start session") as cursor:
            cursor.execute(statement("end_old_sessions"), {"idle_seconds": self._idle_seconds})
            if old_token is not None:
                cursor.execute(statement("end_session"), {"token_digest": self.tokens.digest(old_token)})
            cursor.execute(statement("start_session"), values)
            if cursor.fetchone() is None:
                return None
            cursor.execute(statement("mark_signed_in"), {"name": values["etl_user"]})
            record(cursor, "signed_in", start["name"], address=address, detail=how)
        return token
