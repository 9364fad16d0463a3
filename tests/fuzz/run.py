"""Coverage-guided fuzzing of the decoders: ``make fuzz``.

Each target runs for a while in a process of its own, from the corpus and from what earlier runs
have kept in ``.fuzz``. What breaks a target is left there as ``TARGET-crash-…`` (or ``timeout``,
``oom``): mend what it shows, and put it into the corpus under a name that says what it was.
"""

import argparse
import subprocess
import sys
from pathlib import Path

KEPT = Path(__file__).parents[2] / ".fuzz"
CORPUS = Path(__file__).with_name("corpus")
NAMES = sorted(path.name for path in CORPUS.iterdir())
LIMITS = ("-max_len=16384", "-timeout=25", "-rss_limit_mb=3072", "-print_final_stats=1")


def fuzz(target: str, seconds: int) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["exporter"], enable_loader_override=False):
        from tests.fuzz import targets
    targets.shown_one_in = 8
    folder = KEPT / target
    folder.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={folder.parent}/{target}-", *LIMITS]
    atheris.Setup(
        [sys.argv[0], *options, str(folder), str(CORPUS / target)], targets.TARGETS[target]
    )
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", default=NAMES, choices=[*NAMES, []])
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--here", action="store_true", help="one target, in this process")
    given = parser.parse_args()
    targets = given.targets or NAMES
    if given.here:
        fuzz(targets[0], given.seconds)
    failed = []
    for target in targets:
        print(f"fuzzing {target} for {given.seconds} s", flush=True)
        command = [sys.executable, "-m", "tests.fuzz.run", "--here", target]
        if subprocess.run([*command, "--seconds", str(given.seconds)], check=False).returncode:
            failed.append(target)
    print(f"failed: {', '.join(failed)}" if failed else "nothing found")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
