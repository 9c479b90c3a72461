"""The page `/metrics`, read back by Prometheus' own parser."""

from prometheus_client.parser import text_string_to_metric_families

from gateway.batch import ReaderTotals, Totals
from gateway.clock import ReaderClock
from gateway.intake import Status
from gateway.metrics import Metrics
from gateway.vitals import FINDINGS, Vitals, judge
from tests.gateway.test_vitals import NOW, S, vitals


def values(page: bytes) -> dict[tuple[str, ...], float]:
    """Name and label values -> value."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items(), key=_reader_first))): (
            sample.value
        )
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def _reader_first(label: tuple[str, str]) -> bool:
    return label[0] != "reader"


def page(metrics: Metrics, seen: Vitals) -> bytes:
    return metrics.page(seen, judge("gw-1", seen, log_away_us=30 * S))


def seen() -> Vitals:
    readers = {
        "booth": ReaderTotals(
            up=True,
            reads=5,
            rejects={"bad_checksum": 2, 'E2 80"\n': 3, "x" * 60: 4},
            notes={"heartbeat": 9},
            last_heard_us=NOW,
            clock_lag_us=90 * S,
            reads_lost=6,
            antenna_faults=(2, 3),
        ),
        "queue": ReaderTotals(),
    }
    booth = ReaderClock()
    booth.place(NOW - 3 * S, NOW)
    clocks = {"booth": booth.taken(NOW), "queue": ReaderClock().taken(NOW)}
    totals = Totals(reads=50, reads_gone=40, glimpses=3, overflows=1, refused=2, beats_refused=8)
    status = Status(totals=totals, open_stays=4, readers=readers, clocks=clocks)
    return vitals(status=status, outages={"booth": 2})


def test_the_page_parses_and_says_what_was_seen() -> None:
    metrics = Metrics("gw-1")
    metrics.committed(0.003)
    metrics.committed(0.7)
    found = values(page(metrics, seen()))
    assert found["gatebook_info", "gw-1"] == 1
    assert found["gatebook_reads_total",] == 50
    assert found["gatebook_glimpses_total",] == 3
    assert found["gatebook_overflows_total",] == 1
    assert found["gatebook_open_sightings",] == 4
    assert found["gatebook_events_skipped_total",] == 2
    assert found["gatebook_heartbeats_left_out_total",] == 8
    assert found["gatebook_reader_antenna_faults", "booth"] == 2
    assert found["gatebook_reader_clock_offset_seconds", "booth"] == 3
    assert found["gatebook_reader_clock_source", "booth", "estimated"] == 1
    assert found["gatebook_reader_clock_source", "booth", "ntp"] == 0
    assert found["gatebook_reader_clock_source", "queue", "received"] == 1
    assert found["gatebook_events_sent_total",] == 3
    assert found["gatebook_reader_reads_total", "booth"] == 5
    assert found["gatebook_reader_up", "booth"] == 1
    assert found["gatebook_reader_up", "queue"] == 0
    assert found["gatebook_reader_outages_total", "booth"] == 2
    assert found["gatebook_reader_notes_total", "booth", "heartbeat"] == 9
    assert found["gatebook_reader_clock_lag_seconds", "booth"] == 90
    assert found["gatebook_reader_reads_lost_total", "booth"] == 6
    assert found["gatebook_outbox_events",] == 7
    assert found["gatebook_outbox_oldest_seconds",] == 1
    assert found["gatebook_outbox_quota_bytes",] == 1 << 30
    assert found["gatebook_commit_seconds_count",] == 2
    assert found["gatebook_commit_seconds_bucket", "0.005"] == 1


def test_a_label_that_is_no_plain_word_is_counted_as_other() -> None:
    found = values(page(Metrics("gw-1"), seen()))
    rejects = {key[2]: value for key, value in found.items() if "rejects" in key[0] and key[2:]}
    assert rejects == {"bad_checksum": 2, "other": 7}


def test_an_outbox_that_does_not_answer_has_no_numbers() -> None:
    found = values(page(Metrics("gw-1"), vitals(spool=None)))
    assert not [key for key in found if key[0].startswith("gatebook_outbox_events")]
    assert found["gatebook_log_connected",] == 1


def test_two_daemons_in_one_process_share_no_numbers() -> None:
    one, other = Metrics("gw-1"), Metrics("gw-2")
    one.committed(1 * S / 1e6)
    assert values(page(other, vitals()))["gatebook_commit_seconds_count",] == 0


def test_whatever_health_says_is_a_number_here_and_the_rest_is_0() -> None:
    wrong = seen()._replace(spool=None, log_connected=False, reload_refused=["x", "y"])
    found = values(page(Metrics("gw-1"), wrong))
    assert found["gatebook_healthy",] == 0
    judged = judge("gw-1", wrong, log_away_us=30 * S)
    for name, said in (("reasons", judged.reasons), ("warnings", judged.warnings)):
        assert said
        for what in FINDINGS:
            count = sum(finding.what == what for finding in said)
            assert found[f"gatebook_health_{name}", what] == count
        assert {finding.what for finding in said} <= set(FINDINGS)
    assert values(page(Metrics("gw-1"), vitals()))["gatebook_healthy",] == 1
