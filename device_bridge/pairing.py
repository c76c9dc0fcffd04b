"""Who may speak to the studio: one-time tokens, the question to the user, sessions.

A token lives 120 s and is good once. It travels in the fragment of an address, which no browser
sends to a server by itself; six typed characters stand for it where there is no camera to scan.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from device_bridge.concept_words import Mix
from device_bridge.protocol import PAIR_FAILURES_PER_MINUTE, TOKEN_LIFE_S

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Characters of typed codes: no 0 and O, no 1, I and L."""
CODE_LENGTH = 6
State = Literal["asks", "allowed", "refused"]


@dataclass
class Token:
    """A secret to pair with: 192 bits, or the typed code; ``ends`` in seconds of the clock."""

    secret: str
    code: str
    ends: float
    allow: bool = False


@dataclass
class Session:
    """A device that showed a token; ``cookie`` is its secret from then on."""

    device: str
    cookie: str
    name: str
    address: str
    route: Literal["usb", "wifi"]
    state: State = "asks"
    began: float = field(default=0.0)
    shown: str = ""
    """The edit that the person at the phone chose last."""
    mix: Mix | None = None
    """The concept of it, where it has several."""


class PairingError(Exception):
    """A device is not let in; ``status`` is the HTTP status, the text is for its user."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Pairing:
    """Tokens and sessions of one server; nothing of it outlives the process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._token: Token | None = None
        self._failures: deque[float] = deque()
        self.sessions: dict[str, Session] = {}
        self._count = 0

    def new_token(self, *, allow: bool = False) -> Token:
        """Return a new token; the one before it is void."""
        code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
        self._token = Token(
            secrets.token_urlsafe(24), code, self._clock() + TOKEN_LIFE_S, allow=allow
        )
        return self._token

    def claim(
        self, shown: str, *, name: str, address: str, route: Literal["usb", "wifi"]
    ) -> Session:
        """Take a token or typed code and return the new session; the token is spent.

        Raises:
            PairingError: too many failures in a minute (429), or a token that is wrong, spent or
                too old (403).
        """
        now = self._clock()
        while self._failures and now - self._failures[0] > 60:
            self._failures.popleft()
        if len(self._failures) >= PAIR_FAILURES_PER_MINUTE:
            raise PairingError(
                429, "Too many wrong codes. Wait a minute, then use the new code in the studio."
            )
        token = self._token
        if token is None or now > token.ends or not _matches(shown, token):
            self._failures.append(now)
            if len(self._failures) >= PAIR_FAILURES_PER_MINUTE:
                self._token = None
            raise PairingError(
                403, "This code is wrong, used or older than two minutes. Make a new one."
            )
        self._token = None
        self._count += 1
        session = Session(
            device=f"phone-{self._count}",
            cookie=secrets.token_urlsafe(32),
            name=name,
            address=address,
            route=route,
            state="allowed" if token.allow else "asks",
            began=now,
        )
        self.sessions[session.device] = session
        return session

    @property
    def is_blocked(self) -> bool:
        """Whether guessing made the token void; the studio then makes a new one."""
        return self._token is None and len(self._failures) >= PAIR_FAILURES_PER_MINUTE

    def session(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie; compared in constant time."""
        found = None
        for session in self.sessions.values():
            if hmac.compare_digest(session.cookie.encode(), (cookie or "").encode()):
                found = session
        return found

    def answer(self, device: str, allow: bool) -> Session | None:
        """Note the user's answer; return the session, or None for an unknown device."""
        session = self.sessions.get(device)
        if session is not None and session.state == "asks":
            session.state = "allowed" if allow else "refused"
        return session

    def forget(self, device: str | None) -> list[str]:
        """End one session, or all where ``device`` is None; return the devices."""
        gone = [one for one in self.sessions if device is None or one == device]
        for one in gone:
            del self.sessions[one]
        return gone


def normal_code(text: str) -> str:
    """Return a typed code without spaces, in capitals."""
    return "".join(text.split()).replace("-", "").upper()


def _matches(shown: str, token: Token) -> bool:
    # Both are compared always, so that time tells nothing.
    by_secret = hmac.compare_digest(shown.encode(), token.secret.encode())
    by_code = hmac.compare_digest(normal_code(shown).encode(), token.code.encode())
    return by_secret or by_code
