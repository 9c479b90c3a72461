"""An audit is whole, or every change of it is found; the command that says so."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from typer.testing import CliRunner

from schemas.audit import FIRST, Audit, AuditedDraw, linked
from schemas.wire import decode, encode, from_plain, to_json, to_plain
from stream.audit_check import AuditCheck, AuditFinding, RuleCounts
from stream.audit_cli import app
from stream.policy.random_checks import draw, key_hash

KEY = bytes(range(32))


def proved(crossing: str, per_million: int = 500_000) -> AuditedDraw:
    found = draw(KEY, crossing, per_million)
    return AuditedDraw(
        key_sha256=key_hash(KEY),
        value=f"{found.value:016x}",
        per_million=per_million,
        drawn=found.drawn,
    )


def chain(count: int, writer: str = "lanes-2") -> list[Audit]:
    rows: list[Audit] = []
    for number in range(1, count + 1):
        crossing = f"c{number // 2}"
        told = proved(crossing)
        row = Audit(
            v=1,
            writer=writer,
            seq=number,
            previous=rows[-1].link if rows else FIRST,
            link=FIRST,
            crossing_id=crossing,
            pair="lar-wtb",
            direction="MX>US",
            revision=number,
            at_us=number,
            judged_as_of_us=number,
            causes=(f"random:{key_hash(KEY)[:16]}",) if told.drawn else (),
            shadow=("targeted:south.trial@1",) if number % 2 else (),
            draw=told,
        )
        rows.append(linked(row))
    return rows


def findings(rows: list[Audit], key: bytes | None = None) -> list[AuditFinding]:
    check = AuditCheck(key)
    return [one for row in rows for one in check.take(row)]


def test_a_chain_as_it_was_written_is_whole() -> None:
    mixed = [row for both in zip(chain(6), chain(6, "lanes-3"), strict=True) for row in both]
    assert findings(mixed, KEY) == []


def test_an_audit_may_begin_in_the_middle() -> None:
    assert findings(chain(6)[3:]) == []


def test_a_first_row_that_follows_something_is_found() -> None:
    (found,) = findings([linked(replace(chain(1)[0], previous=bytes(31) + b"\1"))])
    assert found.why == "the first row does not begin a chain"


@given(st.integers(0, 5), st.sampled_from(["changed", "gone", "again", "swapped", "relinked"]))
def test_whatever_is_done_to_a_row_is_found(place: int, how: str) -> None:
    rows = chain(7)
    row = rows[place]
    match how:
        case "changed":
            rows[place] = replace(row, causes=("officer",))
        case "relinked":
            rows[place] = linked(replace(row, causes=("officer",)))
        case "gone":
            del rows[place]
        case "again":
            rows.insert(place, row)
        case _:
            rows[place], rows[place + 1] = rows[place + 1], row
    if how == "gone" and place == 0:
        return  # it is like any audit that begins in the middle
    assert findings(rows)


def test_a_draw_that_the_key_does_not_give_is_found() -> None:
    rows = chain(2)
    other = replace(proved("c1"), drawn=not proved("c1").drawn)
    told = linked(replace(rows[1], draw=other, crossing_id="c1"))
    whys = [one.why for one in findings([rows[0], told], KEY)]
    assert whys == ["the key gives another draw", "its causes do not follow from its draw"]
    assert findings([rows[0], told]) == []


def test_draws_by_another_key_are_not_looked_at() -> None:
    check = AuditCheck(bytes(32))
    assert [one for row in chain(4) for one in check.take(row)] == []
    assert check.draws["made"] == 0


def test_a_row_read_back_from_both_forms_has_the_same_link() -> None:
    (row,) = chain(1)
    assert decode("audit", encode(row)) == from_plain("audit", to_plain(row)) == row
    assert findings([decode("audit", encode(row))]) == []  # type: ignore[list-item]


def test_rules_are_counted_by_the_last_row_of_each_crossing() -> None:
    counts = RuleCounts()
    for row in chain(6):
        counts.take(row)
    assert counts.crossings == 4
    trial = next(one for one in counts.rules() if one.shadow)
    assert (trial.rule, trial.crossings) == ("targeted:south.trial@1", 3)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "audit.ndjson"
    rows = [to_json("audit", row.writer, row.at_us, row) for row in chain(5)]
    path.write_bytes(b"\n".join(rows) + b"\n")
    return path


def test_the_command_prints_the_end_of_each_chain(file: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(KEY.hex())
    found = CliRunner().invoke(app, ["check", str(file), "--key-file", str(key)])
    end = chain(5)[-1].link.hex()
    assert found.exit_code == 0
    assert found.output == (
        f"lanes-2: ends with row 5, link {end}\n5 rows, 5 draws made again, 0 findings\n"
    )


def test_the_command_says_which_row_was_changed(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'"revision":3', b'"revision":4'))
    found = CliRunner().invoke(app, ["check", str(file)])
    assert found.exit_code == 1
    assert "lanes-2 row 3: it was changed after it was written" in found.output


def test_the_command_counts_rules(file: Path) -> None:
    found = CliRunner().invoke(app, ["rules", str(file)])
    assert found.exit_code == 0
    assert "3\tshadow\ttargeted:south.trial@1\n" in found.output
    assert "3 crossings, 0 bad lines" in found.output


def test_a_file_that_is_not_there_is_a_wrong_use(tmp_path: Path) -> None:
    for command in ("check", "rules"):
        assert CliRunner().invoke(app, [command, str(tmp_path / "none")]).exit_code == 2
