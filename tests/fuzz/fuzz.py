"""Fuzz decoders with atheris: `./run fuzz [NAME] [SECONDS]`.

Without a name all protocols are fuzzed, one after the other. Begins with the kept inputs and goes on with those that an
earlier run found (`.cache/fuzz`). An input that fails is written there, and its hex is printed: a line for the corpus.
"""

import subprocess
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["gateway"]):
    from gateway.protocols import PROTOCOLS
    from tests.fuzz.target import check, inputs

CACHE = Path(__file__).parents[2] / ".cache" / "fuzz"
LONGEST = 1_000


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one protocol; ends the process."""
    found = CACHE / name
    found.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(inputs(name)):
        (found / f"kept-{number:03}").write_bytes(data)

    def one(data: bytes) -> None:
        try:
            check(name, data)
        except BaseException:
            sys.stderr.write(f"\n{name}: failing input: {data.hex()}\n")
            raise

    flags = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        "-timeout=20",
        "-rss_limit_mb=1024",
    ]
    atheris.Setup(["fuzz", *flags, f"-artifact_prefix={found}-", str(found)], one)
    atheris.Fuzz()


def main(arguments: list[str]) -> int:
    """Fuzz the named protocol in this process, or all in one process each; the exit code."""
    name = arguments[0] if arguments else ""
    names = [name] if name in PROTOCOLS else list(PROTOCOLS)
    rest = arguments[1:] if name in PROTOCOLS else arguments
    if len(rest) > 1 or not all(text.isdecimal() for text in rest):
        sys.stderr.write(f"./run fuzz [NAME] [SECONDS]; there are: {', '.join(PROTOCOLS)}\n")
        return 2
    seconds = int(rest[0]) if rest else 60
    if name in PROTOCOLS:
        fuzz(name, seconds)
    codes = [
        subprocess.run([sys.executable, __file__, each, str(seconds)], check=False).returncode
        for each in names
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
