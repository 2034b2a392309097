"""The file of logins: one ``user:hash`` a line, never a password in plain text."""

import base64
import binascii
import hashlib
import hmac
import logging
import os
import re
import secrets
import threading
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from segnet_res.errors import UsageError
from segnet_res.images import atomic_write

MIN_LENGTH = 8
MAX_LENGTH = 1024

# scrypt with 16 MB and about a fifth of a second a try: too much for guessing from a stolen file.
_COST, _BLOCK, _PASSES = 2**14, 8, 5
# What a file may ask for, so that a slip of the pen cannot stop the server.
_MAX_MEMORY = 256 * 2**20
_MAX_PASSES = 64

_PREFIX = "scrypt"
_USER = re.compile(r"[^\s:#\x00-\x1f][^:\x00-\x1f\x7f]{0,99}")
_REMEDY = "write it with segnet-res logins FILE USER"


@dataclass(frozen=True)
class Secret:
    """The hash of a password with what computing it again takes.

    Attributes:
        cost: scrypt's n, a power of two.
        block: scrypt's r.
        passes: scrypt's p.
        salt: Random bytes, other ones for each password.
        digest: What scrypt makes of the password.
    """

    cost: int
    block: int
    passes: int
    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, password: str) -> "Secret":
        """Hash a password with a new salt."""
        unhashed = cls(_COST, _BLOCK, _PASSES, secrets.token_bytes(16), b"")
        return cls(_COST, _BLOCK, _PASSES, unhashed.salt, unhashed.scrypt(password))

    @classmethod
    def parse(cls, text: str) -> "Secret":
        """Read what ``str`` wrote.

        Raises:
            ValueError: when it is anything else.
        """
        prefix, cost, block, passes, salt, digest = text.split("$")
        secret = cls(int(cost), int(block), int(passes), _decode(salt), _decode(digest))
        sound = (
            prefix == _PREFIX
            and secret.cost > 1
            and secret.cost & (secret.cost - 1) == 0
            and secret.block > 0
            and 128 * secret.cost * secret.block <= _MAX_MEMORY
            and 0 < secret.passes <= _MAX_PASSES
            and len(secret.salt) >= 8
            and len(secret.digest) >= 16
        )
        if not sound:
            raise ValueError("no hash of a password")
        return secret

    def __str__(self) -> str:
        parts = (self.cost, self.block, self.passes, _encode(self.salt), _encode(self.digest))
        return "$".join((_PREFIX, *map(str, parts)))

    def scrypt(self, password: str) -> bytes:
        """Return what scrypt makes of a password with this salt."""
        # One keyboard sends ü as a letter, another as u and two dots.
        plain = unicodedata.normalize("NFC", password).encode("utf-8", "replace")
        return hashlib.scrypt(
            plain, salt=self.salt, n=self.cost, r=self.block, p=self.passes,
            maxmem=2 * _MAX_MEMORY, dklen=len(self.digest) or 32,
        )  # fmt: skip

    def matches(self, password: str) -> bool:
        """Tell whether this is the hash of a password; takes as long for a wrong one."""
        return hmac.compare_digest(self.digest, self.scrypt(password))


class Logins:
    """The users of a file, which may change while the page runs.

    Args:
        path: The file.

    Raises:
        UsageError: when the file cannot be used (`read_logins`).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = _stamp(path)
        self._secrets = read_logins(path)
        # Whoever gives an unknown user waits as long as with a wrong password.
        self._nobody = Secret.of(secrets.token_urlsafe(16))
        # Hashing takes 16 MB: one at a time, however many try.
        self._hashing = threading.Lock()

    def secret(self, user: str) -> Secret | None:
        """Return what belongs to a user now, None where there is no such user."""
        return self._current().get(user)

    def check(self, user: str, password: str) -> Secret | None:
        """Return the user's secret when the password is right, else None; takes a moment."""
        secret = self.secret(user)
        with self._hashing:
            matches = (secret or self._nobody).matches(password)
        return secret if matches else None

    def _current(self) -> dict[str, Secret]:
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._secrets = read_logins(self._path)
            except UsageError as error:
                # Half-edited: those who could log in still can.
                logging.getLogger(__name__).warning("%s (the former logins stay valid)", error)
        return self._secrets


def read_logins(path: Path) -> dict[str, Secret]:
    """Read ``user:hash`` lines; empty lines and lines that start with # are left out.

    Raises:
        UsageError: when the file cannot be read, a line is something else, a password is not
            hashed, a user occurs twice, or there is no user.
    """
    logins: dict[str, Secret] = {}
    for number, line in enumerate(_lines(path), start=1):
        if not _counts(line):
            continue
        user, colon, text = line.partition(":")
        # The line itself stays out of the messages: it may hold a password.
        if not colon or not _USER.fullmatch(user.strip()):
            raise UsageError(f"{path}, line {number}: not a login; {_REMEDY}")
        try:
            secret = Secret.parse(text.strip())
        except ValueError as error:
            raise UsageError(
                f"{path}, line {number}: the password is not hashed; delete it and {_REMEDY}"
            ) from error
        if user.strip() in logins:
            raise UsageError(f"{path}, line {number}: {user.strip()!r} occurs twice; keep one line")
        logins[user.strip()] = secret
    if not logins:
        raise UsageError(f"{path}: no login found; {_REMEDY}")
    return logins


def set_login(path: Path, user: str, password: str) -> bool:
    """Write a user's line; other lines, comments and a line that is no login stay as they are.

    Returns:
        Whether the user had a line before.

    Raises:
        UsageError: when the user or password cannot be one, or the file cannot be read.
        StorageError: when it cannot be written.
    """
    check_user(user)
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise UsageError(
            f"a password of {len(password)} characters; take {MIN_LENGTH} to {MAX_LENGTH}"
        )
    return _replace_line(path, user, f"{user}:{Secret.of(password)}")


def remove_login(path: Path, user: str) -> bool:
    """Take a user's line out, and tell whether there was one.

    Raises:
        UsageError: when the file cannot be read.
        StorageError: when it cannot be written.
    """
    return _replace_line(path, user, None)


def check_user(user: str) -> None:
    """Refuse what cannot be the name of a user.

    Raises:
        UsageError: when it is empty, longer than 100 characters, starts with # or holds a colon.
    """
    if not _USER.fullmatch(user) or user != user.strip():
        raise UsageError(
            f"user {user!r}: not a name; take up to 100 characters without colon, spaces around "
            "or # at the start"
        )


def _replace_line(path: Path, user: str, new: str | None) -> bool:
    lines = _lines(path) if path.exists() else []
    mine = [i for i, line in enumerate(lines) if _counts(line) and _user_of(line) == user]
    if new is None and not mine:
        return False
    # A new line stands where the old one stood.
    place = mine[0] if mine else len(lines)
    kept = [line for i, line in enumerate(lines) if i not in mine]
    if new is not None:
        kept.insert(place, new)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    with atomic_write(path) as file:
        os.fchmod(file.fileno(), mode)
        file.write("".join(f"{line}\n" for line in kept).encode())
    return bool(mine)


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _user_of(line: str) -> str:
    return line.partition(":")[0].strip()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(f"{path}: the logins cannot be read ({reason}); {_REMEDY}") from error


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error
