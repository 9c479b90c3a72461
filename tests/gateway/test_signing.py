"""Signing keys: made once, private, and known by a row that the reference loader takes."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gateway.signing import (
    Signer,
    SigningKeyError,
    is_signature,
    make_signing_key,
    read_signing_key,
)
from schemas.chain import split_signature
from schemas.gate import ReaderStatus
from schemas.policy import GatewayKey
from schemas.wire import decode
from stream.log.contract import TopicPartition
from stream.log.open import open_log
from tests.gateway.outbox_rig import verify_chain
from tests.gateway.rig import (
    CARD_FRAME,
    ROOT,
    START,
    TRUCK_FRAME,
    Events,
    PtyReader,
    gateway,
    make_topics,
    write_config,
)


def run(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gatebook", *map(str, arguments)],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_key_is_private_and_comes_back_as_it_was_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "signing.pem"
    made = make_signing_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    read = read_signing_key(path)
    assert read.public_key == made.public_key
    parts = split_signature(read.header(b"l" * 32))
    assert parts is not None
    assert parts.key_id == made.key_id
    assert is_signature(made.public_key, parts.signature, b"l" * 32)
    assert not is_signature(made.public_key, parts.signature, b"m" * 32)


def test_the_signatures_are_those_of_the_standard() -> None:
    """RFC 8032, section 7.1, test 2."""
    signer = Signer.from_seed(
        bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    )
    public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    signature = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert signer.public_key.hex() == public
    assert signer.header(b"\x72")[8:].hex() == signature


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    make_signing_key(path)
    before = path.read_bytes()
    with pytest.raises(SigningKeyError, match="is there already"):
        make_signing_key(path)
    assert path.read_bytes() == before


def test_a_key_that_cannot_be_used_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    with pytest.raises(SigningKeyError, match="gatebook gateway keygen"):
        read_signing_key(path)
    make_signing_key(path)
    path.chmod(0o640)
    with pytest.raises(SigningKeyError, match="chmod 600"):
        read_signing_key(path)
    path.chmod(0o600)
    path.write_text("nonsense")
    with pytest.raises(SigningKeyError, match="PKCS #8"):
        read_signing_key(path)
    other = X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(other)
    with pytest.raises(SigningKeyError, match="not an Ed25519 key"):
        read_signing_key(path)


async def test_the_row_of_a_new_key_is_one_that_reference_load_takes(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    pem = tmp_path / "signing.pem"
    config.write_text(
        config.read_text().replace("[outbox]", f'signing_key_file = "{pem}"\n[outbox]')
    )
    made = await asyncio.to_thread(run, "gateway", "keygen", "-c", config)
    assert made.returncode == 0, made.stderr
    assert "PRIVATE" not in made.stdout
    signer = read_signing_key(pem)
    again = await asyncio.to_thread(run, "gateway", "keygen", "-c", config)
    assert (again.returncode, again.stdout) == (3, "")
    shown = await asyncio.to_thread(run, "gateway", "keygen", "--show", "-c", config)
    assert json.loads(shown.stdout)["value"]["key_id"] == signer.key_id.hex()

    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    row = tmp_path / "key.ndjson"
    row.write_text(made.stdout)
    loaded = await asyncio.to_thread(run, "reference", "load", "--log", url, row)
    assert loaded.returncode == 0, loaded.stderr
    async with await open_log(url) as log:
        reader = await log.reader({TopicPartition("policies", number): 0 for number in range(6)})
        (record,) = await reader.poll(10, 5)
        await reader.aclose()
    key = decode("policies", record.value or b"")
    assert isinstance(key, GatewayKey)
    assert (key.gateway, key.public_key) == ("gw-1", signer.public_key)
    assert key.key_id == signer.key_id.hex()


def test_a_configuration_without_a_key_file_cannot_make_one(tmp_path: Path) -> None:
    result = run("gateway", "keygen", "-c", write_config(tmp_path))
    assert result.returncode == 1
    assert "signing_key_file" in result.stderr


def test_a_gateway_does_not_start_with_a_key_that_others_can_read(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    pem = tmp_path / "signing.pem"
    make_signing_key(pem)
    os.chmod(pem, 0o644)  # noqa: PTH101
    config.write_text(
        config.read_text().replace("[outbox]", f'signing_key_file = "{pem}"\n[outbox]')
    )
    result = run("gateway", "run", "-c", config)
    assert result.returncode == 3
    assert "chmod 600" in result.stderr


async def test_a_gateway_that_is_killed_and_given_another_key_sends_one_chain(
    tmp_path: Path,
) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    reader = PtyReader(tmp_path)
    pem = tmp_path / "signing.pem"
    keys = [make_signing_key(pem).public_key]
    config = write_config(tmp_path, lane="glimpse_ms = 300\nlost_ms = 600", heartbeat_ms=100)
    config.write_text(
        config.read_text().replace("[outbox]", f'signing_key_file = "{pem}"\n[outbox]')
    )
    for frames in (40, 200, 3, 120):
        with gateway(config) as running:
            await reader.command(START)
            for _ in range(frames):
                reader.send_if_room(CARD_FRAME + TRUCK_FRAME)
                await asyncio.sleep(0.001)
            running.kill()
        reader.forget()
        if len(keys) == 1 and frames == 200:
            pem.unlink()
            keys.append(make_signing_key(pem).public_key)
    with gateway(config) as running:
        await reader.command(START)
        assert running.terminate() == 0
    reader.close()
    events = await Events(url).until(
        lambda seen: seen.of(ReaderStatus) and seen.of(ReaderStatus)[-1].cause == "stopped"
    )
    events.check_sequence()
    events.check_balance()
    sent: dict[int, tuple[int, bytes, bytes | None, bytes | None]] = {}
    epoch = ""
    for record in events.records:
        headers = dict(record.headers)
        _, epoch, seq = headers["ce_id"].decode().split(".")
        row = (int(seq), record.value or b"", headers["chain"], headers.get("signature"))
        # What was sent again has the same link and the same signature.
        assert sent.setdefault(int(seq), row) == row
    rows = [sent[seq] for seq in sorted(sent)]
    covered = verify_chain(rows, gateway="gw-1", epoch=epoch, first_key=keys[0], keys=keys)
    assert covered == len(rows) > 10
    assert len({row[3][:8] for row in rows if row[3] is not None}) == 2
