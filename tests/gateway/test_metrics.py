"""The page `/metrics`, read back by Prometheus' own parser."""

from prometheus_client.parser import text_string_to_metric_families

from gateway.batch import ReaderTotals, Totals
from gateway.intake import Status
from gateway.metrics import Metrics
from gateway.vitals import Vitals
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
        ),
        "queue": ReaderTotals(),
    }
    totals = Totals(reads=50, reads_gone=40, glimpses=3, overflows=1, refused=2)
    status = Status(totals=totals, open_stays=4, readers=readers)
    return vitals(status=status, outages={"booth": 2})


def test_the_page_parses_and_says_what_was_seen() -> None:
    metrics = Metrics("gw-1")
    metrics.committed(0.003)
    metrics.committed(0.7)
    found = values(metrics.page(seen()))
    assert found["gatebook_info", "gw-1"] == 1
    assert found["gatebook_reads_total",] == 50
    assert found["gatebook_glimpses_total",] == 3
    assert found["gatebook_overflows_total",] == 1
    assert found["gatebook_open_sightings",] == 4
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
    found = values(Metrics("gw-1").page(seen()))
    rejects = {key[2]: value for key, value in found.items() if "rejects" in key[0] and key[2:]}
    assert rejects == {"bad_checksum": 2, "other": 7}


def test_an_outbox_that_does_not_answer_has_no_numbers() -> None:
    found = values(Metrics("gw-1").page(vitals(spool=None)))
    assert not [key for key in found if key[0].startswith("gatebook_outbox_events")]
    assert found["gatebook_log_connected",] == 1


def test_two_daemons_in_one_process_share_no_numbers() -> None:
    one, other = Metrics("gw-1"), Metrics("gw-2")
    one.committed(1 * S / 1e6)
    assert values(other.page(vitals()))["gatebook_commit_seconds_count",] == 0
