"""Takes what tells who and where the user is out of a text: home, names of user and computer."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
import socket
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath, PureWindowsPath

HOME, USER, HOST, FOLDER = "<home>", "<user>", "<computer>", "<workspace>"
_SHORTEST = 3
"""Names of one or two letters stand in too many words to be taken out outside of paths."""


@dataclass(frozen=True)
class Secrets:
    """What must not be told: home folders, user names, computer names, the workspace's folder."""

    homes: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    @classmethod
    def here(cls, workspace: Path) -> Secrets:
        """Return those of this user on this computer."""
        homes = {str(Path.home()), *(os.environ.get(name, "") for name in ("HOME", "USERPROFILE"))}
        users = {os.environ.get(name, "") for name in ("USER", "USERNAME", "LOGNAME")}
        with contextlib.suppress(OSError, KeyError):  # there may be no name for this user id
            users.add(getpass.getuser())
        users |= {PurePath(home).name for home in homes if home}
        full = socket.gethostname()
        hosts = {full, full.partition(".")[0], os.environ.get("COMPUTERNAME", "")}
        return cls(
            homes=_known(homes),
            users=_known(users),
            hosts=_known(hosts - {"localhost"}),
            folders=_known({str(workspace), os.path.abspath(workspace)}),
        )


def redacted(text: str, secrets: Secrets) -> str:
    """Return ``text`` without the secrets, in whatever form a path or name may be written."""
    for path in secrets.folders:
        text = _without_path(text, path, FOLDER)
    for path in secrets.homes:
        text = _without_path(text, path, HOME)
    # Homes of other users, and of this one on another computer.
    text = re.sub(r"(?i)(/(?:home|Users)/)[^/\\\s\"':,;<>]+", rf"\1{USER}", text)
    text = re.sub(
        r"(?i)(\b[a-z]:(?:\\{1,4}|/)users(?:\\{1,4}|/))[^/\\\"':,;<>|*?\r\n]+", rf"\1{USER}", text
    )
    for names, mark in ((secrets.users, USER), (secrets.hosts, HOST)):
        for name in names:
            text = _without_name(text, name, mark)
    return text


def _without_path(text: str, path: str, mark: str) -> str:
    for form in sorted(_forms(path), key=len, reverse=True):
        pattern = re.escape(form) + r"(?![\w-])"
        text = re.sub(pattern, mark, text, flags=re.IGNORECASE)
    return text


def _forms(path: str) -> set[str]:
    """Return the path as it stands in plain text, JSON (once or twice) and addresses."""
    plain = path.rstrip("/\\")
    if len(plain) < 2:
        return set()  # the root of a disk is no secret
    forms = {plain, PureWindowsPath(plain).as_posix()}
    forms |= {form.replace("/", "\\") for form in set(forms) if re.match("[A-Za-z]:", form)}
    for form in set(forms):
        once = json.dumps(form)[1:-1]
        forms |= {once, json.dumps(once)[1:-1], urllib.parse.quote(form, safe="/:\\")}
    return forms


def _without_name(text: str, name: str, mark: str) -> str:
    if len(name) < _SHORTEST:
        return text
    once = json.dumps(name)[1:-1]
    forms = {name, once, json.dumps(once)[1:-1], urllib.parse.quote(name)}
    if len(name) > 8:
        forms.add(f"{name[:6]}~1")  # the short name of a folder on Windows
    for form in sorted(forms, key=len, reverse=True):
        pattern = rf"(?<![^\W_]){re.escape(form)}(?![^\W_])"
        text = re.sub(pattern, mark, text, flags=re.IGNORECASE)
    return text


def _known(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name}, key=len, reverse=True))
