"""The configuration: everything that is wrong with a file is found at once, named, and told how to mend."""

import tomllib

import msgspec
import pytest

from gateway.config import ConfigError, read_config
from gateway.link import Rfc2217Url, TcpUrl, parse_link
from gateway.tables import (
    GatewayTable,
    HealthTable,
    LaneTable,
    LogTable,
    MqttTable,
    OutboxTable,
    ReaderTable,
    ReadPointTable,
    Table,
    TopicTable,
)
from tests.gateway.rig import ROOT

EXAMPLE = (ROOT / "docs/gateway.toml").read_text(encoding="utf-8")
SERIAL = "serial:///dev/serial/by-id/usb-FTDI_FT232R_A10KZP45-if00-port0?baud=115200"
BROKER = "mqtts://broker.yard.example:8883"
KEY = 'key = "var/tls/gw-lar-1.key"'


def findings(text: str) -> dict[str, str]:
    """What is wrong, by path; each with the way to mend it."""
    with pytest.raises(ConfigError) as caught:
        read_config(text)
    assert all(finding.what and finding.fix for finding in caught.value.findings)
    return {finding.path: f"{finding.what}; {finding.fix}" for finding in caught.value.findings}


def changed(old: str, new: str) -> str:
    """The example with one thing in it changed."""
    assert EXAMPLE.count(old) == 1
    return EXAMPLE.replace(old, new)


def test_the_example_in_the_documentation_is_a_good_configuration() -> None:
    config = read_config(EXAMPLE)
    assert config.gateway.id == "gw-lar-1"
    assert [lane.id for lane in config.lanes] == ["L01", "L02"]
    assert config.lanes[0] == msgspec.structs.replace(
        config.lanes[1], id="L01", neighbours=("L02",)
    )
    assert [point.antennas for point in config.read_points] == [(1, 3), (2,), ()]
    assert config.mqtt[0].topics[1].kind == "management"


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ("gateway", GatewayTable),
        ("outbox", OutboxTable),
        ("log", LogTable),
        ("health", HealthTable),
        ("lane", LaneTable),
        ("reader", ReaderTable),
        ("read_point", ReadPointTable),
        ("mqtt", MqttTable),
    ],
)
def test_the_example_shows_every_key(table: str, kind: type[Table]) -> None:
    shown = tomllib.loads(EXAMPLE)[table]
    rows = shown if isinstance(shown, list) else [shown]
    keys = {key for row in rows for key in row}
    assert keys == {field.encode_name for field in msgspec.structs.fields(kind)}


def test_the_example_shows_every_key_of_a_topic() -> None:
    rows = tomllib.loads(EXAMPLE)["mqtt"][0]["topics"]
    keys = {key for row in rows for key in row}
    assert keys == {field.encode_name for field in msgspec.structs.fields(TopicTable)}


@pytest.mark.parametrize(
    ("old", "new", "path", "text"),
    [
        ("observe_reads = 3", "obsrve_reads = 3", "lane[0].obsrve_reads", "mean 'observe_reads'?"),
        ("127.0.0.1:9464", "0.0.0.0:9464", "health.listen", "seen from other machines"),
        ("clock_check = true", "clok = true", "health.clok", "unknown key"),
        ("[outbox]", "[outbocks]", "outbocks", "did you mean 'outbox'?"),
        ("qos = 1 }", "qso = 1 }", "mqtt[0].topics[0].qso", "did you mean 'qos'?"),
        ('\nid = "gw-lar-1"', '\nid = "gw.lar"', "gateway.id", "letters"),
        ("observe_ms = 200", 'observe_ms = "200"', "lane[0].observe_ms", "Expected `int`"),
        ("observe_reads = 3", "observe_reads = 0", "lane[0].observe_reads", ">= 1"),
        ("lost_ms = 5000", "lost_ms = 500", "lane[0].lost_ms", "shorter than glimpse_ms"),
        ('pair = "lar-wtb"', "", "gateway", "missing required field `pair`"),
        ('id = "L02"', 'id = "L01"', "lane[1].id", "twice"),
        ('position = "primary"', 'position = "booth"', "read_point[2].position", "Invalid enum"),
        ('protocol = "r200"', 'protocol = "r220"', "reader[0].protocol", "did you mean 'r200'?"),
        (
            'protocol = "zebra_iotc"',
            'protocol = "r200"',
            "reader[1].protocol",
            "not spoken over MQTT",
        ),
        ('protocol = "r200"', 'protocol = "zebra_iotc"', "reader[0].protocol", "serial line"),
        ('envelope = "BB7E"', 'envelop = "BB7E"', "reader[0].options", "envelop"),
        ("?baud=115200", "?bauds=115200", "reader[0].link", "'bauds' is no setting"),
        ("?baud=115200", "?baud=fast", "reader[0].link", "baud cannot be 'fast'"),
        ("serial:///dev", "seriell:///dev", "reader[0].link", "no link is called 'seriell'"),
        ("serial:///dev", "serial://dev", "reader[0].link", "comes a path"),
        (SERIAL, "tcp://reader", "reader[0].link", "expected tcp://HOST:PORT"),
        (SERIAL, "tcp://:4001", "reader[0].link", "expected tcp://HOST:PORT"),
        (SERIAL, "tcp://reader:99999", "reader[0].link", "out of range"),
        (SERIAL, "tcp://reader:4001/path", "reader[0].link", "expected tcp://HOST:PORT"),
        (SERIAL, "tcp://reader:4001?baud=9600", "reader[0].link", "'baud' is no setting of tcp"),
        (SERIAL, "tcp://a:b@reader:4001", "reader[0].link", "would be logged"),
        (SERIAL, "rfc2217://reader", "reader[0].link", "expected rfc2217://HOST:PORT"),
        (SERIAL, "rfc2217://reader:1?baud=1", "reader[0].link", "baud cannot be '1'"),
        ('link = "mqtt:yard"', 'link = "tcp://reader:1"', "reader[1].protocol", "serial line"),
        ('link = "mqtt:yard"', 'link = "mqtt:yrad"', "reader[1].link", "did you mean 'yard'?"),
        ('reader = "booth-1"', 'reader = "booth-2"', "read_point[2].reader", "mean 'booth-1'?"),
        ('lane = "L02"', 'lane = "L03"', "read_point[1].lane", "did you mean"),
        ("antennas = [2]", "antennas = [1, 2]", "read_point[1].antennas", "'L01-queue' already"),
        ("antennas = [2]", "", "read_point[1].antennas", "'L01-queue' already"),
        (BROKER, "mqtt://broker", "mqtt[0].ca", "write url = 'mqtts://...'"),
        (BROKER, "broker:8883", "mqtt[0].url", "is not mqtt://HOST:PORT or mqtts://HOST:PORT"),
        (BROKER, "mqtts://a:b@broker", "mqtt[0].url", "use username and password_file"),
        (BROKER, "mqtts://broker:no", "mqtt[0].url", "Port could not be cast"),
        (KEY, "", "mqtt[0].key", "missing, but there is cert; add key"),
        ('username = "gw-lar-1"', "", "mqtt[0].username", "there is password_file"),
        ('version = "5"', "", "mqtt[0].session_expiry_s", "MQTT 3.1.1 cannot say it"),
        ("baud=115200", "baud=115200&xonxoff=1", "reader[0].link", "xonxoff loses bytes of r200"),
        ("baud=115200", "baud=115200&xonxoff=yes", "reader[0].link", "xonxoff cannot be 'yes'"),
        ('filter = "queue/data"', 'filter = "queue/#/data"', "mqtt[0].topics[0].filter", "filter"),
        ('filter = "queue/data"', 'filter = "queue+"', "mqtt[0].topics[0].filter", "filter"),
        ('"queue/management"', '"queue/data"', "mqtt[0].topics[1].filter", "twice"),
        ("qos = 1 }", "qos = 0 }", "mqtt[0].topics[0].qos", "forgets it"),
        ('[[lane]]\nid = "L02"', '[lane]\nid = "L02"', "file", "not TOML"),
        ('neighbours = ["L02"]', 'neighbours = ["L20"]', "lane[0].neighbours", "mean 'L02'?"),
        ('neighbours = ["L02"]', 'neighbours = ["L01"]', "lane[0].neighbours", "lane itself"),
        ("exit = [3]", "", "read_point[0].exit", "leave entry out"),
        ("entry = [1]", "", "read_point[0].entry", "leave exit out"),
        ("exit = [3]", "exit = [4]", "read_point[0].exit", "add it to antennas"),
        ("exit = [3]", "exit = [1]", "read_point[0].exit", "entry antenna too"),
        ("gpi = [1, 2]", "gpi = [1]", "read_point[0].gpi", "1 inputs"),
        ("gpi = [1, 2]", "gpi = [2, 2]", "read_point[0].gpi", "the same one twice"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_way_to_mend_it(
    old: str, new: str, path: str, text: str
) -> None:
    found = findings(changed(old, new))
    assert text in found[path]


def test_a_lane_has_at_most_eight_neighbours_counted_from_both_sides() -> None:
    lanes = "".join(
        f'[[lane]]\nid = "M{n}"\ndirection = "MX>US"\nneighbours = ["L01"]\n' for n in range(8)
    )
    wrong = findings(changed("# ---- readers\n", f"{lanes}# ---- readers\n"))
    assert wrong.keys() == {"lane[0].neighbours"}
    assert "9 neighbours" in wrong["lane[0].neighbours"]


def test_qos_2_is_refused_with_the_reason() -> None:
    found = findings(changed("qos = 1 }", "qos = 2 }"))
    assert "before the outbox has it" in found["mqtt[0].topics[0].qos"]
    assert "use 1" in found["mqtt[0].topics[0].qos"]


def test_all_mistakes_of_a_file_are_found_at_once() -> None:
    text = EXAMPLE.replace("observe_reads", "obsrve_reads").replace("[log]", "[logs]")
    text = text.replace('client_id = "gw-lar-1"', "client_id = 7")
    assert set(findings(text)) == {"lane[0].obsrve_reads", "logs", "log", "mqtt[0].client_id"}


def test_an_empty_file_says_what_it_needs() -> None:
    found = findings("")
    assert "add [gateway] with id, pair, token_key_file" in found["gateway"]
    assert {"gateway", "outbox", "log"} == set(found)


def test_two_readers_cannot_share_a_serial_port() -> None:
    reader = '[[reader]]\nid = "other"\nlink = "serial:///dev/serial/by-id/{}?baud=9600"\n'
    port = "usb-FTDI_FT232R_A10KZP45-if00-port0"
    found = findings(EXAMPLE + reader.format(port) + 'protocol = "r200"\n')
    assert "is the port of 'booth-1' too" in found["reader[2].link"]
    assert "no read point" in found["reader[2].id"]


def test_two_readers_cannot_share_a_port_of_a_terminal_server() -> None:
    text = EXAMPLE.replace(SERIAL, "tcp://server:4001")
    for link in ("tcp://SERVER:4001", "rfc2217://server:4001?baud=9600"):
        reader = f'[[reader]]\nid = "other"\nlink = "{link}"\nprotocol = "r200"\n'
        assert "is the port of 'booth-1' too" in findings(text + reader)["reader[2].link"]


def test_links_over_the_network_are_read() -> None:
    assert parse_link("tcp://[2001:db8::1]:4001") == TcpUrl("2001:db8::1", 4001)
    assert parse_link("rfc2217://server:5001") == Rfc2217Url("server", 5001, 115_200)
    assert parse_link("rfc2217://server:5001?baud=9600") == Rfc2217Url("server", 5001, 9_600)


def test_two_connections_to_a_broker_need_two_client_ids() -> None:
    text = EXAMPLE + (
        '[[mqtt]]\nid = "other"\nurl = "mqtts://broker.yard.example:8883"\nclient_id = "gw-lar-1"\n'
        'topics = [{ filter = "x", reader = "queue" }]\n'
    )
    found = findings(text)
    assert "would throw them out in turn" in found["mqtt[1].client_id"]
    assert "the link of 'queue' is 'mqtt:yard'" in found["mqtt[1].topics[0].reader"]
