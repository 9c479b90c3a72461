from gateway.capture_file import Heard
from gateway.protocols import r200, zebra_iotc
from gateway.transcript import Row, Transcript

EPC = b"a good card."
GOOD = r200.encode_tag(EPC)


def rows(*heard: Heard) -> list[Row]:
    transcript = Transcript(r200.decoder({}), "stream")
    return [row for one in heard for row in transcript.take(one)] + list(transcript.end())


def lines(found: list[Row]) -> list[tuple[object, object]]:
    return [(row["kind"], row["line"]) for row in found]


def test_a_frame_over_several_lines_belongs_to_the_line_where_its_epc_begins() -> None:
    found = rows(Heard(1, GOOD[:4], None), Heard(2, GOOD[4:12], None), Heard(3, GOOD[12:], None))
    assert lines(found) == [("read", 2)]


def test_a_cut_frame_is_rejected_on_its_own_line_though_only_later_ones_tell() -> None:
    found = rows(Heard(4, GOOD[:9], None), Heard(7, GOOD, None), Heard(8, GOOD, None))
    assert lines(found) == [("rejected", 4), ("read", 7), ("read", 8)]


def test_the_same_cut_frame_twice_is_rejected_on_both_lines() -> None:
    found = rows(Heard(1, GOOD[:9], None), Heard(2, GOOD[:9], None), Heard(3, GOOD, None))
    assert lines(found) == [("rejected", 1), ("rejected", 2), ("read", 3)]


def test_what_is_left_at_the_end_is_rejected_on_its_line() -> None:
    assert lines(rows(Heard(1, GOOD, None), Heard(2, GOOD[:9], None))) == [
        ("read", 1),
        ("rejected", 2),
    ]


def test_a_silence_in_a_timed_capture_gives_a_cut_frame_up() -> None:
    found = rows(Heard(1, GOOD[:9], 1_000), Heard(2, GOOD, 200_000))
    assert lines(found) == [("rejected", 1), ("read", 2)]
    assert [row["at_us"] for row in found] == [1_000, 200_000]
    assert "after_resync" not in found[1]


def test_lines_are_not_kept_for_ever_while_a_decoder_waits() -> None:
    noise = [Heard(number, b"\x00" * 600, None) for number in range(1, 100)]
    found = rows(*noise, Heard(100, GOOD, None))
    assert lines(found)[-1] == ("read", 100)
    assert all(row["reason"] == "garbage" for row in found[:-1])


def test_where_there_are_no_lines_there_is_no_number() -> None:
    assert lines(rows(Heard(None, b"\x00\x01" + GOOD, None))) == [
        ("rejected", None),
        ("read", None),
    ]


def test_a_message_belongs_to_its_own_line() -> None:
    transcript = Transcript(zebra_iotc.decoder({}), "message")
    payload = zebra_iotc.encode_tag_event(EPC, event_num=1, at_us=0)
    assert lines(list(transcript.take(Heard(3, payload, None)))) == [("read", 3)]
    assert lines(list(transcript.take(Heard(4, payload[1:], None)))) == [("rejected", 4)]
