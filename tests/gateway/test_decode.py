"""`gatebook decode` as a user calls it: a process, its two streams and its exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.decode import app
from gateway.protocols import PROTOCOLS, r200
from tests.gateway.test_protocols import captures, name_of, protocol_of, rows_of

CAPTURES = Path(__file__).parents[1] / "captures"
RM1 = "BB02220011C9340030751FEB705C5904E3D50D703A76EF7E"
DECODE = [sys.executable, "-m", "gatebook", "decode"]


def run(*args: str) -> Result:
    return CliRunner().invoke(app, args)


def rows(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def piped(data: bytes, *args: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*DECODE, *args], input=data, capture_output=True, check=False)


def test_a_good_capture_gives_one_json_line_an_outcome_and_exit_code_0() -> None:
    result = run("--protocol", "r200", str(CAPTURES / "r200_m100.txt"))
    assert result.exit_code == 0
    assert rows(result)[0] == {
        "kind": "read",
        "line": 2,
        "epc": "30751FEB705C5904E3D50D70",
        "rssi_dbm": -55,
        "antenna": None,
        "pc": "3400",
        "at_us": None,
    }
    assert [row["kind"] for row in rows(result)] == ["read"] * 3 + ["note"] * 2
    assert "hex lines from" in result.stderr
    assert "3 reads, 2 notes, 0 rejected" in result.stderr


@pytest.mark.parametrize("name", ["r200_negative.txt", "zebra_iotc_negative.ndjson"])
def test_any_reject_gives_exit_code_1_and_a_reason_with_the_raw_bytes(name: str) -> None:
    protocol = name.partition("_negative")[0]
    result = run("--protocol", protocol, str(CAPTURES / name))
    assert result.exit_code == 1
    rejected = [row for row in rows(result) if row["kind"] == "rejected"]
    assert rejected
    assert all(row["reason"] and bytes.fromhex(str(row["raw"])) for row in rejected)


def test_options_of_the_protocol_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "aadd.txt"
    path.write_text(r200.encode_tag(b"a good card.", envelope="AADD").hex())
    assert run("--protocol", "r200", str(path)).exit_code == 1
    result = run("--protocol", "r200", "--set", "envelope=AADD", str(path))
    assert (result.exit_code, len(rows(result))) == (0, 1)


def test_raw_bytes_are_decoded_and_have_no_line(tmp_path: Path) -> None:
    path = tmp_path / "raw.bin"
    path.write_bytes(bytes.fromhex(RM1) * 5000)
    result = run("--protocol", "r200", str(path))
    assert result.exit_code == 0
    assert {(row["kind"], row["line"]) for row in rows(result)} == {("read", None)}
    assert len(rows(result)) == 5000
    assert "raw bytes from" in result.stderr


def test_hex_that_breaks_lines_anywhere_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "xxd.txt"
    text = RM1 * 20
    path.write_text("\n".join(text[at : at + 60] for at in range(0, len(text), 60)))
    result = run("--protocol", "r200", str(path))
    assert (result.exit_code, len(rows(result))) == (0, 20)


def test_one_json_document_over_several_lines_is_one_payload(tmp_path: Path) -> None:
    path = tmp_path / "pretty.json"
    event = json.loads((CAPTURES / "zebra_iotc_tagdata.ndjson").read_text().splitlines()[0])
    path.write_text(json.dumps([event, event], indent=2))
    result = run("--protocol", "zebra_iotc", str(path))
    assert (result.exit_code, [row["line"] for row in rows(result)]) == (0, [1, 1])


def test_a_payload_in_hex_and_a_gateway_capture_of_messages_are_decoded(tmp_path: Path) -> None:
    payload = (CAPTURES / "zebra_iotc_tagdata.ndjson").read_bytes().splitlines()[1]
    path = tmp_path / "capture.ndjson"
    chunk = {"at_us": 5, "dir": "rx", "topic": "d", "retain": False, "hex": payload.hex()}
    for text, at_us in ((payload.hex(), None), (json.dumps(chunk), 5)):
        path.write_text(text)
        result = run("--protocol", "zebra_iotc", str(path))
        [row] = rows(result)
        assert (result.exit_code, row["antenna"], row["at_us"]) == (0, 1, at_us)


def test_an_absurdly_long_line_is_one_reject_and_the_next_line_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.ndjson"
    good = (CAPTURES / "zebra_iotc_tagdata.ndjson").read_bytes()
    path.write_bytes(good + b"[" + b"0," * 3_000_000 + b"0]\n" + good)
    result = run("--protocol", "zebra_iotc", str(path))
    assert [row["kind"] for row in rows(result)] == ["read"] * 4 + ["rejected"] + ["read"] * 4
    assert [row["line"] for row in rows(result)] == list(range(1, 10))


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["--protocol", "r2000", "-"], "no protocol is called 'r2000': did you mean r200?"),
        (["--protocol", "llrp", "-"], f"there is {', '.join(sorted(PROTOCOLS))}"),
        (["--protocol", "r200", "no/such/file"], "no/such/file: No such file or directory"),
        (["--protocol", "r200", str(CAPTURES)], "Is a directory"),
        (["--protocol", "r200", "--set", "envelop=AADD", "-"], "did you mean 'envelope'?"),
        (["--protocol", "r200", "--set", "envelope", "-"], "'envelope' is not KEY=VALUE"),
        (["--protocol", "r200", "--set", "rounds=0", "-"], "option 'rounds' cannot be '0'"),
        (["-"], "--protocol"),
    ],
)
def test_a_wrong_call_gives_exit_code_2_and_says_what_to_do(args: list[str], text: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert text in " ".join(result.stderr.split())
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_stdin_is_the_input_when_no_file_is_named() -> None:
    done = piped(RM1.encode(), "--protocol", "r200")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert b"from stdin" in done.stderr
    empty = piped(b"", "--protocol", "zebra_iotc", "-")
    assert (empty.returncode, empty.stdout) == (0, b"")


def test_input_that_breaks_off_gives_exit_code_3_and_no_traceback(tmp_path: Path) -> None:
    with (tmp_path / "written").open("wb") as only_written:
        call = [*DECODE, "--protocol", "r200"]
        done = subprocess.run(call, stdin=only_written, capture_output=True, check=False)
    assert done.returncode == 3
    assert b"Bad file descriptor" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_pipe_shows_each_read_as_it_comes() -> None:
    with subprocess.Popen(
        [*DECODE, "--protocol", "r200"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(2):
            process.stdin.write(bytes.fromhex(RM1))
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["kind"] == "read"
        process.stdin.close()
        assert process.wait() == 0


def test_a_reader_of_the_output_that_goes_away_is_no_traceback() -> None:
    with subprocess.Popen(
        [*DECODE, "--protocol", "r200"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        process.stdout.close()
        _, stderr = process.communicate(bytes.fromhex(RM1) * 20_000)
    assert process.returncode == 1
    assert b"Traceback" not in stderr
    assert b"BrokenPipe" not in stderr


@pytest.mark.parametrize("path", captures(), ids=name_of)
def test_every_capture_of_a_reader_can_be_looked_at_by_the_command(path: Path) -> None:
    result = run("--protocol", str(protocol_of(path)), str(path))
    assert rows(result) == json.loads(json.dumps(rows_of(path)))
    rejected = [row for row in rows(result) if row["kind"] == "rejected"]
    assert result.exit_code == bool(rejected)
    assert f"{len(rejected)} rejected" in result.stderr
