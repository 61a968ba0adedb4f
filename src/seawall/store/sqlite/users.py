"""Users and sessions in SQLite."""

from __future__ import annotations

from seawall.errors import ConflictError, NotFoundError
from seawall.model.user import Role, Session, User
from seawall.store.sqlite.database import Database


class UsersPart:
    """Who signs in; see `UserStore`."""

    _database: Database

    def put_user(self, user: User) -> None:
        """Add or replace a user; replacing ends all sessions of that user."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM session WHERE user_name = ?", (user.name,))
            db.execute(
                "INSERT INTO user VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
                " role = excluded.role, password_hash = excluded.password_hash,"
                " added = excluded.added",
                (user.name, user.role.value, user.password_hash, user.added_ms),
            )

    def user(self, name: str) -> User | None:
        """Return one user."""
        with self._database.reading() as db:
            row = db.execute("SELECT * FROM user WHERE name = ?", (name,)).fetchone()
        return None if row is None else _user_of(row)

    def users(self) -> list[User]:
        """Return all users, sorted by name."""
        with self._database.reading() as db:
            return [_user_of(row) for row in db.execute("SELECT * FROM user ORDER BY name")]

    def put_session(self, session: Session) -> None:
        """Add a session, and forget those that have expired by then.

        Raises:
            NotFoundError: if there is no such user.
            ConflictError: if the token is taken.
        """
        with self._database.transaction() as db:
            if not db.execute("SELECT 1 FROM user WHERE name = ?", (session.user_name,)).fetchone():
                raise NotFoundError(f"there is no user {session.user_name}")
            added = db.execute(
                "INSERT OR IGNORE INTO session VALUES (?, ?, ?, ?, ?, ?)",
                (
                    session.token_sha256,
                    session.user_name,
                    session.kind,
                    session.csrf,
                    session.created_ms,
                    session.expires_ms,
                ),
            ).rowcount
            if not added:
                raise ConflictError("a session with this token exists already")
            db.execute(
                "DELETE FROM session WHERE expires <= ? AND token_sha256 <> ?",
                (session.created_ms, session.token_sha256),
            )

    def session(self, token_sha256: str, now_ms: int) -> Session | None:
        """Return a session that has not expired."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT * FROM session WHERE token_sha256 = ? AND expires > ?",
                (token_sha256, now_ms),
            ).fetchone()
        return None if row is None else Session(*row)

    def end_session(self, token_sha256: str) -> None:
        """Forget a session; no error if there is none."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM session WHERE token_sha256 = ?", (token_sha256,))


def _user_of(row: tuple[str, str, str, int]) -> User:
    name, role, password_hash, added_ms = row
    return User(name, Role(role), password_hash, added_ms)
