"""What a new configuration changes, and what it may not."""

from pathlib import Path

import pytest

from gateway.config import read_config
from gateway.links import LINKS
from gateway.reload import refusals, wiring_of
from gateway.tables import Config
from tests.gateway.rig import config_text

FOLDER = Path("/folder")


def configured(old: str = "", new: str = "") -> Config:
    text = config_text(FOLDER, broker=1883)
    assert not old or text.count(old) == 1
    return read_config(text.replace(old, new) if old else text)


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ('id = "gw-1"\npair', 'id = "gw-2"\npair', "gateway.id"),
        ('pair = "lar-wtb"', 'pair = "det-amb"', "gateway.pair"),
        ("/folder/outbox.db", "/folder/other.db", "outbox"),
        ("sqlite:/folder/log.db", "sqlite:/folder/log2.db", "log"),
        ("/folder/token.key", "/folder/other.key", "gateway.token_key_file"),
    ],
)
def test_what_is_read_once_needs_a_restart(old: str, new: str, path: str) -> None:
    (finding,) = refusals(configured(), configured(old, new))
    assert (finding.path, finding.fix) == (path, "restart it")


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("to_booth_s = 90", "to_booth_s = 80", set()),
        ("/folder/port", "/folder/port2", {"booth"}),
        ('filter = "queue/data"', 'filter = "queue/other"', {"queue"}),
    ],
)
def test_a_link_is_wired_anew_only_when_something_of_its_own_differs(
    old: str, new: str, changed: set[str]
) -> None:
    before, after = configured(), configured(old, new)
    assert refusals(before, after) == []

    def wirings(config: Config) -> dict[str, object]:
        links = [link for make in LINKS.values() for link in make(config, lambda: 0)]
        return {name: wiring_of(config, link) for link in links for name in link.readers}

    found, other = wirings(before), wirings(after)
    assert {name for name in found if found[name] != other[name]} == changed
