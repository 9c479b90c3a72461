"""The page `/metrics`, in the text form of Prometheus. No label holds anything of a card.

Labels are readers of the configuration, and reasons and kinds that a protocol names: at most
`gateway.desk.MAX_KINDS` a reader, and what is no plain word is counted as `other`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.batch import ReaderTotals
from gateway.clock import Taken
from gateway.vitals import FINDINGS, Health, Vitals
from schemas.gate import ClockSource

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

#: Seconds: a commit is a write and an fsync; more than a second is a disk in trouble.
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

_WORD: Final = re.compile(r"[A-Za-z0-9_.:-]{1,48}")


class Metrics(Collector):
    """Turns what was seen of the daemon into a page."""

    def __init__(self, gateway: str) -> None:
        """A registry of its own: nothing else of the process is in it."""
        self._gateway = gateway
        self._seen: tuple[Vitals, Health] | None = None
        self._registry = CollectorRegistry()
        self._commits = Histogram(
            "gatebook_commit_seconds",
            "How long a commit of the outbox took, retries included.",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._registry.register(self)

    def committed(self, seconds: float) -> None:
        """A commit of the outbox took so long."""
        self._commits.observe(seconds)

    def page(self, vitals: Vitals, health: Health) -> bytes:
        """The page; `health` is what was found wrong by these vitals."""
        self._seen = vitals, health
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        if self._seen is None:
            return
        vitals, health = self._seen
        yield _gauge("info", "Which gateway this is.", {self._gateway: 1}, "gateway")
        yield from _findings(health)
        yield from _gateway_counts(vitals)
        yield from _spool(vitals)
        yield from _readers(vitals.status.readers)
        yield from _clocks(vitals.status.clocks)
        outages = "Times that a reader could not be heard any more."
        yield _counter("reader_outages", outages, vitals.outages, "reader")


def _findings(health: Health) -> Iterator[Metric]:
    """Whatever `/health` says, so that an alarm on this page misses none of it."""
    yield GaugeMetricFamily(
        "gatebook_healthy", "Whether /health finds nothing that fails.", value=not health.reasons
    )
    for name, found, text in (
        ("health_reasons", health.reasons, "Reasons for which /health fails, by what is wrong."),
        ("health_warnings", health.warnings, "What /health warns of, by what is wrong."),
    ):
        counts = dict.fromkeys(FINDINGS, 0) | Counter(finding.what for finding in found)
        yield _gauge(name, text, counts, "what")


def _gateway_counts(vitals: Vitals) -> Iterator[Metric]:
    totals = vitals.status.totals
    beats = totals.beats_refused
    for name, text, count in (
        ("reads", "Reads that decoders gave since the epoch began.", totals.reads),
        ("reads_gone", "Reads of stays that are over.", totals.reads_gone),
        ("reads_duplicate", "Reads of messages that had come before.", totals.reads_duplicate),
        ("reads_rejected", "Reads of no card, or of no read point.", totals.reads_rejected),
        ("glimpses", "Stays too short to be a sighting.", totals.glimpses),
        ("overflows", "Stays closed because too many were open.", totals.overflows),
        ("events_skipped", "Events in whose place Skipped went out.", totals.refused),
        ("heartbeats_left_out", "Heartbeats that a nearly full outbox had no room for.", beats),
        ("events_sent", "Events that the log has, since the start.", vitals.events_sent),
        ("tap_dropped", "Lines that tap and capture were too slow for.", vitals.tap_dropped),
    ):
        yield CounterMetricFamily(f"gatebook_{name}", text, value=count)
    yield GaugeMetricFamily(
        "gatebook_open_sightings", "Stays that are open.", value=vitals.status.open_stays
    )
    connected = "Whether the event log could be used when it was last tried."
    yield GaugeMetricFamily("gatebook_log_connected", connected, value=vitals.log_connected)
    if vitals.synchronised is not None:
        yield GaugeMetricFamily(
            "gatebook_clock_synchronised",
            "Whether the kernel's clock is synchronised.",
            value=vitals.synchronised,
        )
    yield GaugeMetricFamily(
        "gatebook_outbox_writable",
        "Whether the last commit was stored at the first attempt or later.",
        value=not vitals.unwritten,
    )


def _spool(vitals: Vitals) -> Iterator[Metric]:
    """Nothing where the outbox does not answer: an old number would be a lie."""
    if (spool := vitals.spool) is None:
        return
    age_us = 0 if spool.oldest_us is None else max(0, vitals.at_us - spool.oldest_us)
    values = {
        "outbox_events": ("Events that wait for the event log.", float(spool.events)),
        "outbox_oldest_seconds": ("Age of the oldest event that waits.", age_us / 1e6),
        "outbox_bytes": ("Size of the outbox and its WAL.", float(spool.size)),
    }
    if spool.quota is not None:
        values["outbox_quota_bytes"] = ("What the outbox may grow to.", float(spool.quota))
    for name, (text, value) in values.items():
        yield GaugeMetricFamily(f"gatebook_{name}", text, value=value)


def _readers(readers: Mapping[str, ReaderTotals]) -> Iterator[Metric]:
    up = {name: int(reader.up) for name, reader in readers.items()}
    yield _gauge("reader_up", "Whether the reader can be heard.", up, "reader")
    heard = {
        name: reader.last_heard_us / 1e6
        for name, reader in readers.items()
        if reader.last_heard_us is not None
    }
    yield _gauge("reader_last_heard_seconds", "When it was last heard, UTC.", heard, "reader")
    lags = {name: reader.clock_lag_us / 1e6 for name, reader in readers.items()}
    yield _gauge("reader_clock_lag_seconds", "How slow its clock is known to be.", lags, "reader")
    faults = {name: len(reader.antenna_faults) for name, reader in readers.items()}
    yield _gauge("reader_antenna_faults", "Antennas that it misses.", faults, "reader")
    lost = {name: reader.reads_lost for name, reader in readers.items()}
    yield _counter("reader_reads_lost", "Reads that it says it lost.", lost, "reader")
    reads = {name: reader.reads for name, reader in readers.items()}
    yield _counter("reader_reads", "Reads by reader.", reads, "reader")
    rejects = {name: reader.rejects for name, reader in readers.items()}
    yield _by_word("reader_rejects", "What gave no read, by reason.", rejects, "reason")
    notes = {name: reader.notes for name, reader in readers.items()}
    yield _by_word("reader_notes", "What readers said besides reads, by kind.", notes, "kind")


def _clocks(clocks: Mapping[str, Taken]) -> Iterator[Metric]:
    offsets = {name: taken.offset_us / 1e6 for name, taken in clocks.items()}
    yield _gauge("reader_clock_offset_seconds", "What is added to its time.", offsets, "reader")
    family = GaugeMetricFamily(
        "gatebook_reader_clock_source",
        "1 for how its time is taken: ntp, estimated, or received (it has shown none).",
        labels=["reader", "source"],
    )
    for name, taken in clocks.items():
        for source in get_args(ClockSource):
            family.add_metric([name, source], source == taken.source)
    yield family


def _gauge(name: str, text: str, values: Mapping[str, float], label: str) -> Metric:
    family = GaugeMetricFamily(f"gatebook_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counter(name: str, text: str, values: Mapping[str, float], label: str) -> Metric:
    family = CounterMetricFamily(f"gatebook_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _by_word(name: str, text: str, counts: Mapping[str, Mapping[str, int]], label: str) -> Metric:
    family = CounterMetricFamily(f"gatebook_{name}", text, labels=["reader", label])
    for reader, kinds in counts.items():
        words: Counter[str] = Counter()
        for kind, count in kinds.items():
            words[kind if _WORD.fullmatch(kind) else "other"] += count
        for word, count in words.items():
            family.add_metric([reader, word], count)
    return family
