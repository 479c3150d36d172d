"""All checks in one command: `python tools/check.py`, or some of them: `python tools/check.py lint types`."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).parents[1]
DOCKERFILES = sorted(map(str, ROOT.glob("docker/*.Dockerfile")))
COMPOSED = sorted(map(str, ROOT.glob("docker/compose*.yaml")))
PURE = ",".join(f"realtime_asr/{folder}/*" for folder in ("audio", "transcript", "session", "dialects"))
CHECKS: dict[str, Sequence[Sequence[str]]] = {
    "lint": [["ruff", "check", "."], ["ruff", "format", "--check", "."]],
    "types": [["mypy"]],
    "floors": [["lint-imports"]],
    "containers": [
        ["hadolint", "--config", "docker/hadolint.yaml", *DOCKERFILES],
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", *COMPOSED],
        ["yamllint", "--strict", "--config-file", "docker/yamllint.yaml", "docker", "kubernetes"],
    ],
    "wire": [[sys.executable, "-m", "tools.describe_wire", "--check"]],
    "tests": [
        ["coverage", "run", "-m", "pytest"],
        ["coverage", "report", "--include", PURE, "--fail-under=100"],
        ["coverage", "report", "--fail-under=95"],
    ],
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns how many failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=CHECKS, metavar="CHECK", help=", ".join(CHECKS))
    failed = [name for name in parser.parse_args(arguments).names or CHECKS if not _passes(name)]
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return len(failed)


def _passes(name: str) -> bool:
    print(f"--- {name}", flush=True)
    began = monotonic()
    passed = all(subprocess.run(command, cwd=ROOT, check=False).returncode == 0 for command in CHECKS[name])
    print(f"--- {name}: {'ok' if passed else 'FAILED'} in {monotonic() - began:.0f} s", flush=True)
    return passed


if __name__ == "__main__":
    sys.exit(main())
