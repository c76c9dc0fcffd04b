"""Commands that measure, clean up and check."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from backend.core.artifact import file_sha256
from backend.core.errors import DocumentError, nearest


def bench(arguments: argparse.Namespace) -> int:
    """Run a benchmark: a table, and one JSON object as the last line."""
    import backend.bench.run as benchmarks

    known = benchmarks.names()
    if not arguments.name:
        print("\n".join(f"{name}: {text}" for name, text in known.items()))
        return 0
    if arguments.name not in known:
        raise DocumentError(
            f'There is no benchmark "{arguments.name}".', nearest(arguments.name, known)
        )
    benchmarks.run(
        arguments.name, full=arguments.full, fresh=arguments.fresh, write=arguments.write
    )
    return 0


def gc(arguments: argparse.Namespace) -> int:
    """Free stored results that no run refers to."""
    from backend.engine.gc import collect

    freed = collect(dry_run=arguments.dry_run)
    if arguments.json:
        print(json.dumps(vars(freed)))
        return 0
    verb = "would be freed" if arguments.dry_run else "freed"
    size = freed.bytes / 2**20
    print(f"{freed.results} results, {size:.1f} MiB {verb}; {freed.kept} are in use by runs.")
    return 0


def doctor(arguments: argparse.Namespace) -> int:
    """Check this installation; exit code 1 when something needed is wrong."""
    from backend import doctor as doctors

    checks = doctors.report()
    if arguments.json:
        print(json.dumps([vars(check) for check in checks]))
    else:
        for check in checks:
            print(f"{'ok  ' if check.ok else 'LOOK'} {check.name}: {check.text}")
            if check.remedy and not check.ok:
                print(f"     {check.remedy}")
    return 0 if all(check.ok for check in checks) else 1


def trust(arguments: argparse.Namespace) -> int:
    """Allow the present content of a Python model file to run."""
    from backend.models import trust as trusted

    path = Path(arguments.file)
    is_sha256 = re.fullmatch("[0-9a-fA-F]{64}", arguments.file)
    if not is_sha256 and not path.is_file():
        what = "is a folder" if path.is_dir() else "is no file"
        raise DocumentError(f'"{path}" {what}.', "Give a .py file, or a SHA-256.")
    sha = file_sha256(path) if path.is_file() else arguments.file
    trusted.trust(sha)
    print(f"{arguments.file} may run as it is now (SHA-256 {sha}). A changed file asks again.")
    return 0
