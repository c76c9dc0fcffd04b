"""The command line: everything that the window can do, without it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from backend.cli.parser import make_parser
from backend.core.errors import FretsawError, Stopped, sentence

EXIT_CANCELLED = 5
EXIT_INTERNAL = 70


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 done, 2 invalid input, 3 a node failed, 4 an exported file does not agree with the network,
    5 cancelled, 6 busy, 70 an error inside Fretsaw. ``FRETSAW_DEBUG=1`` shows tracebacks.
    """
    arguments = make_parser().parse_args(argv)
    try:
        return int(arguments.command(arguments) or 0)
    except (Stopped, KeyboardInterrupt):
        print("Cancelled.", file=sys.stderr)
        return EXIT_CANCELLED
    except BrokenPipeError:
        # The reader of our output has gone (`... | head`); keep the interpreter from complaining.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("FRETSAW_DEBUG"):
            raise
        print(f"fretsaw: {sentence(error)}", file=sys.stderr)
        if isinstance(error, FretsawError):
            return error.exit_code
        known = getattr(error, "for_user", False) or isinstance(error, OSError)
        return 2 if known else EXIT_INTERNAL
