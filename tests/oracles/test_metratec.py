"""metraTec lines against metraTec's own library: its parser of AT answers, and that of ASCII rounds.

It has no whole decoder: it wants a round's lines together, and the settings of the reader. Where its answer
differs from ours a test below names the difference.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metratec_rfid.pulsar_lr import PulsarLR
from metratec_rfid.pulsar_mx import PulsarMX
from metratec_rfid.uhf_tag import UhfTag

from gateway import ascii_lines as lines
from gateway.protocols import ascii_line
from gateway.reads import Outcome, Read

EPCS = st.integers(1, 31).flatmap(lambda words: st.binary(min_size=2 * words, max_size=2 * words))
TIDS = st.integers(1, 6).flatmap(lambda words: st.binary(min_size=2 * words, max_size=2 * words))
#: No zero: to the library no signal and a signal of zero are the same.
LEVELS = st.integers(-120, -1)

Heard = tuple[str, str | None, int | None, int | None, int]
"""EPC, TID, antenna, signal, reads."""


def ours(data: bytes, dialect: str = "metratec_at", **options: object) -> list[Heard]:
    one = ascii_line.decoder({"dialect": dialect, **options})
    outcomes: list[Outcome] = one.feed(data, 5) + one.flush(5)
    return [
        (
            read.epc.hex().upper(),
            None if read.tid is None else read.tid.hex().upper(),
            read.antenna,
            read.rssi_raw if read.rssi_dbm is None else round(read.rssi_dbm),
            read.reads,
        )
        for read in outcomes
        if isinstance(read, Read)
    ]


def theirs(data: bytes, *, tid: bool = True, rssi: bool = True) -> list[Heard]:
    """What the library's event handler gives for one round of AT lines."""
    reader = PulsarLR("reader", "localhost", 10_001)
    reader._config = {"inventory": {"with_tid": tid, "with_rssi": rssi}}
    tags: list[UhfTag] = []
    reader.set_cb_inventory(tags.extend)
    reader.set_cb_inventory_report(tags.extend)
    reader._handle_inventory_events(data.decode().removesuffix("\r"), 0.0)
    return [
        (
            tag["epc"],
            tag.get("tid"),
            tag.get("antenna"),
            tag.get("rssi"),
            tag["seen_count"],
        )
        for tag in tags
    ]


ROUNDS = st.lists(st.tuples(EPCS, TIDS, LEVELS), min_size=1, max_size=6)


@pytest.mark.parametrize("name", ["CINV", "CMINV"])
@given(tags=ROUNDS, antenna=st.integers(1, 9))
def test_a_round_that_we_encode_is_read_by_the_library_alike(
    name: str, tags: list[tuple[bytes, bytes, int]], antenna: int
) -> None:
    data = b"".join(lines.encode_at_tag(*tag, name=name) for tag in tags)
    data += lines.encode_at_round_end(antenna, name)
    assert theirs(data) == ours(data)
    assert [epc for epc, *_ in ours(data)] == [epc.hex().upper() for epc, *_ in tags]
    assert {port for _, _, port, *_ in ours(data)} == {antenna}


@given(epc=EPCS, tid=TIDS, level=LEVELS, reads=st.integers(1, 999), antenna=st.integers(1, 9))
def test_a_report_says_how_often_to_both(
    epc: bytes, tid: bytes, level: int, reads: int, antenna: int
) -> None:
    tag = f"+CINVR: {epc.hex().upper()},{tid.hex().upper()},{level},{reads}\r".encode()
    data = tag + lines.encode_at_round_end(antenna, "CINVR")
    assert theirs(data) == ours(data)
    assert ours(data)[0][-1] == reads


@given(epc=EPCS, tid=TIDS, level=LEVELS, settings=st.tuples(st.booleans(), st.booleans()))
def test_the_settings_say_to_both_which_fields_there_are(
    epc: bytes, tid: bytes, level: int, settings: tuple[bool, bool]
) -> None:
    with_tid, with_rssi = settings
    values = [epc.hex().upper()]
    values += [tid.hex().upper()] * with_tid + [str(level)] * with_rssi
    names = ["epc"] + ["tid"] * with_tid + ["rssi"] * with_rssi
    data = f"+CINV: {','.join(values)}\r".encode() + lines.encode_at_round_end(2)
    assert theirs(data, tid=with_tid, rssi=with_rssi) == ours(data, fields=",".join(names))


@pytest.mark.parametrize("words", ["NO TAGS FOUND", "ROUND FINISHED, ANT=2"])
def test_a_round_without_tags_has_none_for_both(words: str) -> None:
    data = f"+CINV: <{words}>\r".encode()
    assert theirs(data) == ours(data) == []


@given(epcs=st.lists(EPCS, min_size=1, max_size=6), antenna=st.integers(1, 16))
def test_an_ascii_round_that_we_encode_is_read_by_the_library_alike(
    epcs: list[bytes], antenna: int
) -> None:
    data = lines.encode_ascii_round(epcs, antenna)
    reader = PulsarMX("reader", "localhost", 10_001)
    # One line a tag, and it is what was asked for: by default the library expects EPC and signal in further lines.
    reader._additional_epc = reader._additional_trs = False
    reader._last_inventory["request"] = "INV EPC"
    reader._parse_inventory(data.decode().removesuffix("\r"))
    found = [(tag["data"], tag["antenna"]) for tag in reader._last_inventory["transponders"]]
    assert found == [(epc, port) for epc, _, port, *_ in ours(data, "metratec_ascii")]


# --- where they differ from us, and why we stay with ours


def test_antennas_from_10_are_read_and_the_library_keeps_their_last_digit() -> None:
    data = lines.encode_at_tag(b"ab", b"cd", -50) + lines.encode_at_round_end(12)
    assert [port for _, _, port, *_ in ours(data)] == [12]
    assert [port for _, _, port, *_ in theirs(data)] == [2]


def test_the_library_has_a_signal_without_a_unit_and_we_have_dbm_where_it_is_negative() -> None:
    one = ascii_line.decoder({"dialect": "metratec_at"})
    data = lines.encode_at_tag(b"ab", b"cd", -50) + lines.encode_at_tag(b"ab", b"cd", 1755)
    reads = [read for read in one.feed(data, 5) + one.flush(5) if isinstance(read, Read)]
    assert [(read.rssi_dbm, read.rssi_raw) for read in reads] == [(-50, None), (None, 1755)]
    assert [level for *_, level, _ in theirs(data)] == [-50, 1755]


@pytest.mark.parametrize("epc", ["3034257BF468D480000003E", "30342", "no hexadecimal"])
def test_a_number_that_no_tag_can_have_is_rejected_and_the_library_hands_it_on(epc: str) -> None:
    """It is a line that lost a character, or two that became one."""
    data = f"+CINV: {epc},E200600311753E33,-50\r".encode()
    assert not ours(data)
    assert [number for number, *_ in theirs(data)] == [epc]
