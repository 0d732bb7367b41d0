"""Under whom and where PostgreSQL runs: as ourselves in the data folder, or, since it refuses root, as another user.

That other user may be unable to reach the checkout (/root is closed to all but root). Its data, and a copy of the
program where needed, then lie under /var/lib/ownlens-etl, where only root can make folders: no other user can have
put something of his own under the name we are going to use.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from etl.errors import StoreError
from etl.stack.credentials import RESET_HINT
from etl.stack.layout import DATA_DIR_VARIABLE
from etl.stack.processes import Account, identity

_CANDIDATES = ("postgres", "nobody")
_OUTSIDE = Path("/var/lib/ownlens-etl")
_STACK_ID = "stack-id"


class Home:
    """A folder that belongs to the account the server runs under, mode 0700."""

    def __init__(self, preferred: Path, data_dir: Path) -> None:
        self.account = _unprivileged_account() if os.geteuid() == 0 else None
        self._data_dir = data_dir
        name = hashlib.sha256(str(preferred).encode()).hexdigest()[:16]
        self._elsewhere = _OUTSIDE / name
        inside = self.account is None or _can_reach(self.account, data_dir)
        self.folder = preferred if inside else self._elsewhere

    def create(self, stack_id: str) -> None:
        """Also refuses, or clears outside the data folder, what an earlier stack of the same path left."""
        if self.folder == self._elsewhere:
            self._create_outside()
        marker = self.folder / _STACK_ID
        if marker.exists() and marker.read_text() != stack_id:
            if self.folder != self._elsewhere:
                raise StoreError(f"{self.folder} belongs to other passwords than {self._data_dir} holds; {RESET_HINT}")
            shutil.rmtree(self.folder)  # its data folder, with the only passwords to it, is gone
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.folder.chmod(0o700)
        self._give(self.folder)
        if not marker.exists():
            self.write_private(_STACK_ID, stack_id)

    def _create_outside(self) -> None:
        try:
            _OUTSIDE.mkdir(mode=0o711, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"PostgreSQL does not run as root, its user cannot reach {self._data_dir}, and {_OUTSIDE} cannot be "
                f"made ({error.strerror}); set {DATA_DIR_VARIABLE} to a folder below ones that every user may enter"
            ) from error
        if _OUTSIDE.is_symlink() or _OUTSIDE.stat().st_uid != 0:
            raise StoreError(f"{_OUTSIDE} should be a folder of root's but belongs to somebody else; remove it")
        _OUTSIDE.chmod(0o711)

    def write_private(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            if self.account:
                os.fchown(file.fileno(), self.account.user_id, self.account.group_id)
        return path

    def readable_copy(self, program: Path) -> Path:
        """The installed program, or a copy of it where the account cannot reach that."""
        if self.account is None or _can_reach(self.account, program / "bin" / "postgres"):
            return program
        copy = self.folder / f"program-{hashlib.sha256(str(program).encode()).hexdigest()[:8]}"
        if not copy.exists():
            partial = copy.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(program, partial, symlinks=True)
            for path in (partial, *partial.rglob("*")):
                self._give(path)
            partial.rename(copy)
        return copy

    def delete(self) -> None:
        if self._elsewhere.exists():
            shutil.rmtree(self._elsewhere)

    def _give(self, path: Path) -> None:
        if self.account:
            os.chown(path, self.account.user_id, self.account.group_id, follow_symlinks=False)


def _unprivileged_account() -> Account:
    for name in _CANDIDATES:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, found.pw_uid, found.pw_gid)
    raise StoreError(f"PostgreSQL does not run as root, and none of the users {', '.join(_CANDIDATES)} exists; add one")


def _can_reach(account: Account, path: Path) -> bool:
    """Asked of the kernel under that account's identity: modes alone do not tell (ACLs, mounts)."""
    return subprocess.run(["test", "-x", str(path)], check=False, **identity(account)).returncode == 0
