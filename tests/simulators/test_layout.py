"""The configurations that a demo's programs are given."""

from pathlib import Path

import pytest

from gateway.config import read_config
from gateway.identity import parse_token_key
from gateway.signing import read_signing_key
from schemas.policy import GatewayKey
from simulators.layout import Places, gateway_toml, mosquitto_conf
from simulators.planning import demo_key
from simulators.preparing import write_files, write_world
from simulators.site import LANES, READERS


def test_the_gateway_takes_its_configuration_and_hears_every_lane_at_two_places(
    tmp_path: Path,
) -> None:
    places = Places(root=tmp_path / 'a "quoted" name')
    config = read_config(gateway_toml(places, 1884))
    assert [reader.id for reader in config.readers] == [reader.id for reader in READERS]
    assert {(point.lane, point.position) for point in config.read_points} == {
        (lane, position) for lane in LANES for position in ("queue", "primary")
    }
    assert config.mqtt[0].url == "mqtt://127.0.0.1:1884"
    assert config.outbox.path == str(places.outbox)


def test_a_folder_with_a_line_break_in_its_name_is_refused() -> None:
    with pytest.raises(ValueError, match="control characters"):
        gateway_toml(Places(root=Path("a\nb")), 1884)


def test_the_token_key_is_for_its_owner_alone_and_the_one_of_the_seed(tmp_path: Path) -> None:
    places = Places(root=tmp_path / "demo")
    write_files(places, 7, 1884)
    assert places.token_key.stat().st_mode & 0o777 == 0o600
    assert parse_token_key(places.token_key.read_text(encoding="ascii")) == demo_key(7)


def test_the_gateway_signs_and_the_stream_is_told_its_key(tmp_path: Path) -> None:
    places = Places(root=tmp_path / "demo")
    row = write_files(places, 7, 1884)
    signer = read_signing_key(places.signing_key)
    config = read_config(places.gateway_toml.read_text(encoding="utf-8"))
    assert config.gateway.signing_key_file == str(places.signing_key)
    assert row.topic == "policies"
    assert isinstance(row.message, GatewayKey)
    assert (row.message.gateway, row.message.public_key) == (config.gateway.id, signer.public_key)


def test_mosquitto_may_write_where_it_keeps_sessions_when_it_is_started_as_root(
    tmp_path: Path,
) -> None:
    places = Places(root=tmp_path)
    assert "user root" in mosquitto_conf(places, 1884, as_root=True).splitlines()
    assert "user root" not in mosquitto_conf(places, 1884, as_root=False).splitlines()


def test_a_world_on_disk_is_whole(tmp_path: Path) -> None:
    trucks = write_world(tmp_path / "w", 7, for_s=30, start_in_s=5, port=1884)
    places = Places(root=tmp_path / "w")
    assert trucks == len(places.truth.read_bytes().splitlines()) == 11
    assert places.world.read_bytes().splitlines()[-1] == b'{"kind":"end"}'
    assert places.reference.read_bytes()
