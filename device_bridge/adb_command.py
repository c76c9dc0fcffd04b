"""Phones on a cable for a program that must not wait for them: one command, one JSON answer.

``devices`` lists them, ``reverse SERIAL PORT`` opens a way back to our port and tells the phone's,
``open SERIAL URL`` opens an address in the phone's browser. What goes wrong is
``{"error": ..., "remedy": ...}`` with exit code 1.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from backend.core.errors import FretsawError
from device_bridge.adb import NO_DEVICE, Adb

USAGE = "Use: devices | reverse SERIAL PORT | open SERIAL URL"


def answer(words: Sequence[str], adb: Adb | None = None) -> dict[str, Any]:
    """Do one command and return its answer.

    Raises:
        FretsawError: the command is none, adb is missing, or the phone does not do it.
    """
    if list(words) == ["devices"]:
        found = (adb or Adb()).devices()
        return {"devices": [asdict(one) for one in found], "advice": "" if found else NO_DEVICE}
    if len(words) == 3 and words[0] == "reverse" and words[2].isdecimal():
        return {"port": (adb or Adb()).reverse(words[1], int(words[2]))}
    if len(words) == 3 and words[0] == "open":
        (adb or Adb()).open_url(words[1], words[2])
        return {"opened": True}
    raise FretsawError("This is no command for phones on a cable.", USAGE)


def main(words: Sequence[str]) -> int:
    """Print the answer as one line of JSON; 1 when it is an error."""
    try:
        said, code = answer(words), 0
    except FretsawError as error:
        said, code = {"error": error.message, "remedy": error.remedy}, 1
    print(json.dumps(said), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
