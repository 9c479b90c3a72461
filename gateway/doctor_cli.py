"""`gatebook gateway doctor` as a person or a program sees it: progress on stderr, findings on stdout."""

import asyncio
import sys

import orjson

from gateway.diagnosis import Verdict, lines
from gateway.doctor import examine
from gateway.health import log_to_stderr
from gateway.tables import Config


def run_doctor(config: Config, listen_s: float, *, as_json: bool) -> int:
    """Look, print, and return the exit status."""
    log_to_stderr()
    verdict = asyncio.run(examine(config, listen_s, _progress))
    print(_json(verdict) if as_json else _text(verdict))
    return verdict.exit_code


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _json(verdict: Verdict) -> str:
    looks = [
        {
            "at": look.at,
            "complaints": [
                {"weight": one.weight, "what": one.what, "why": one.why, "fix": one.fix}
                for one in look.complaints
            ],
            "seen": look.seen,
        }
        for look in verdict.looked
    ]
    counts = {weight: verdict.count(weight) for weight in ("fatal", "finding", "unknown")}
    return orjson.dumps({"counts": counts, "looks": looks}).decode()


def _text(verdict: Verdict) -> str:
    rows = [line for look in verdict.looked for line in lines(look)]
    fatal, findings = verdict.count("fatal"), verdict.count("finding")
    unknown = verdict.count("unknown")
    rows.append(
        f"{fatal} fatal, {findings} findings, {unknown} things that cannot be known from here"
    )
    return "\n".join(rows)
