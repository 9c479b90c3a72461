"""What single tables of the configuration cannot show: names that must exist, and must exist once."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from gateway.broker_url import broker_check, parse_broker
from gateway.link import (
    CaptureUrl,
    LinkUrl,
    LinkUrlError,
    MqttUrl,
    Rfc2217Url,
    SerialUrl,
    TcpUrl,
    parse_link,
)
from gateway.listen import ListenError, parse_listen
from gateway.reads import OptionError, WireProtocol
from gateway.tables import (
    MAX_NEIGHBOURS,
    Config,
    Finding,
    LaneTable,
    MqttTable,
    ReaderTable,
    ReadPointTable,
    TopicTable,
)

#: Protocols of printable lines, in which XON and XOFF cannot be data.
LINES: Final = frozenset({"ascii_line"})


def cross_check(config: Config, protocols: Mapping[str, WireProtocol]) -> list[Finding]:
    """Everything that does not fit together."""
    return [
        *_twice("lane", (lane.id for lane in config.lanes)),
        *_twice("reader", (reader.id for reader in config.readers)),
        *_twice("read_point", (point.id for point in config.read_points)),
        *_twice("mqtt", (table.id for table in config.mqtt)),
        *_lanes(config),
        *_readers(config, protocols),
        *_read_points(config),
        *_brokers(config),
        *_empty(config),
        *_pages(config),
    ]


def _twice(table: str, ids: Iterable[str]) -> Iterator[Finding]:
    seen: set[str] = set()
    for number, name in enumerate(ids):
        if name in seen:
            yield Finding(f"{table}[{number}].id", f"{name!r} is there twice", "rename one of them")
        seen.add(name)


def _lanes(config: Config) -> Iterator[Finding]:
    for number, lane in enumerate(config.lanes):
        if lane.lost_ms < lane.glimpse_ms:
            what = f"shorter than glimpse_ms ({lane.glimpse_ms})"
            yield Finding(
                f"lane[{number}].lost_ms", what, "a tag that stays may be quiet for longer"
            )
        yield from _neighbours(f"lane[{number}].neighbours", lane, config)


def _neighbours(path: str, lane: LaneTable, config: Config) -> Iterator[Finding]:
    others = [other.id for other in config.lanes if other.id != lane.id]
    near = {other.id for other in config.lanes if lane.id in other.neighbours} | {*lane.neighbours}
    if len(near) > MAX_NEIGHBOURS:
        what = f"{len(near)} neighbours, those that name this lane counted too"
        yield Finding(
            path, what, f"at most {MAX_NEIGHBOURS}: name those that hear this lane's tags"
        )
    for name in lane.neighbours:
        if name == lane.id:
            yield Finding(path, f"{name!r} is the lane itself", "name the lanes beside it")
        elif name not in others:
            yield Finding(path, f"no [[lane]] has id {name!r}", _one_of(name, others))


def _readers(config: Config, protocols: Mapping[str, WireProtocol]) -> Iterator[Finding]:
    ports: dict[str, str] = {}
    for number, reader in enumerate(config.readers):
        path = f"reader[{number}]"
        try:
            link = parse_link(reader.link)
        except LinkUrlError as error:
            yield Finding(f"{path}.link", f"{reader.link!r} cannot be used", str(error))
            continue
        yield from _link(path, reader, link, config, ports)
        yield from _protocol(path, reader, link, protocols)


def _link(
    path: str, reader: ReaderTable, link: LinkUrl, config: Config, ports: dict[str, str]
) -> Iterator[Finding]:
    match link:
        case MqttUrl(name):
            table = next((table for table in config.mqtt if table.id == name), None)
            if table is None:
                known = [table.id for table in config.mqtt]
                yield Finding(f"{path}.link", f"no [[mqtt]] has id {name!r}", _one_of(name, known))
            elif all(topic.reader != reader.id for topic in table.topics):
                fix = f"add {{ filter = ..., reader = {reader.id!r} }} to the topics of {name}"
                yield Finding(f"{path}.link", f"no topic of {name!r} is this reader's", fix)
        case SerialUrl(port, _, _):
            yield from _port(path, reader, port, ports)
        case TcpUrl(host, number) | Rfc2217Url(host, number, _, _):
            yield from _port(path, reader, f"{host}:{number}", ports)
        case CaptureUrl():
            pass


def _port(path: str, reader: ReaderTable, port: str, ports: dict[str, str]) -> Iterator[Finding]:
    """A line, or a port of a terminal server, is one reader's."""
    if port in ports:
        what = f"{port} is the port of {ports[port]!r} too"
        yield Finding(f"{path}.link", what, "one reader a port")
    ports[port] = reader.id


def _protocol(
    path: str, reader: ReaderTable, link: LinkUrl, protocols: Mapping[str, WireProtocol]
) -> Iterator[Finding]:
    protocol = protocols.get(reader.protocol)
    if protocol is None:
        fix = _one_of(reader.protocol, protocols)
        yield Finding(f"{path}.protocol", f"no protocol is called {reader.protocol!r}", fix)
        return
    if protocol.framing == "message" and isinstance(link, SerialUrl | TcpUrl | Rfc2217Url):
        fix = "give the reader an mqtt: link or another protocol"
        yield Finding(f"{path}.protocol", f"{reader.protocol} is not spoken on a serial line", fix)
    if protocol.framing == "stream" and isinstance(link, MqttUrl):
        fix = "give the reader a serial:, tcp: or rfc2217: link, or another protocol"
        yield Finding(f"{path}.protocol", f"{reader.protocol} is not spoken over MQTT", fix)
    if reader.protocol not in LINES and getattr(link, "xonxoff", False):
        fix = "leave xonxoff out: in binary frames the bytes 11 and 13 are data"
        yield Finding(f"{path}.link", f"xonxoff loses bytes of {reader.protocol}", fix)
    try:
        protocol.decoder(reader.options)
    except OptionError as error:
        yield Finding(f"{path}.options", str(error), f"see the options of {reader.protocol}")


def _read_points(config: Config) -> Iterator[Finding]:
    lanes = [lane.id for lane in config.lanes]
    readers = [reader.id for reader in config.readers]
    taken: dict[str, dict[int | None, str]] = {name: {} for name in readers}
    for number, point in enumerate(config.read_points):
        path = f"read_point[{number}]"
        if point.lane not in lanes:
            fix = _one_of(point.lane, lanes)
            yield Finding(f"{path}.lane", f"no [[lane]] has id {point.lane!r}", fix)
        yield from _ways(path, point)
        if point.reader not in taken:
            fix = _one_of(point.reader, readers)
            yield Finding(f"{path}.reader", f"no [[reader]] has id {point.reader!r}", fix)
            continue
        mine = taken[point.reader]
        for antenna in point.antennas or (None,):
            other = mine.get(antenna, mine.get(None))
            if other is None and antenna is None:
                other = next(iter(mine.values()), None)
            if other is not None:
                what = f"what {point.reader} hears there belongs to read point {other!r} already"
                yield Finding(f"{path}.antennas", what, "give each antenna to one read point")
            mine[antenna] = point.id
    for number, name in enumerate(readers):
        if not taken[name]:
            fix = f"add a [[read_point]] with reader = {name!r}"
            yield Finding(f"reader[{number}].id", "no read point: all its reads are lost", fix)


def _ways(path: str, point: ReadPointTable) -> Iterator[Finding]:
    """The antennas that tell the way of a tag."""
    if bool(point.entry) != bool(point.exit):
        missing, given = ("exit", "entry") if point.entry else ("entry", "exit")
        what = f"there is {given}, but the way of a tag is told by both"
        yield Finding(f"{path}.{missing}", what, f"name them, or leave {given} out")
    for name, antennas in (("entry", point.entry), ("exit", point.exit)):
        for antenna in antennas:
            if point.antennas and antenna not in point.antennas:
                what = f"antenna {antenna} is none of the read point's"
                yield Finding(f"{path}.{name}", what, "add it to antennas")
    for antenna in sorted(set(point.entry) & set(point.exit)):
        what = f"antenna {antenna} is an entry antenna too"
        yield Finding(f"{path}.exit", what, "give it to one of the two")
    if point.gpi and (len(point.gpi) != 2 or point.gpi[0] == point.gpi[1]):
        what = (
            f"{len(point.gpi)} inputs, or the same one twice; the way of a vehicle is told by two"
        )
        yield Finding(
            f"{path}.gpi",
            what,
            "name the one that it passes first, and the one that it passes last",
        )


def _brokers(config: Config) -> Iterator[Finding]:
    clients: dict[tuple[str, str], str] = {}
    for number, table in enumerate(config.mqtt):
        path = f"mqtt[{number}]"
        try:
            tls = parse_broker(table.url).tls
        except LinkUrlError as error:
            yield Finding(f"{path}.url", "cannot be used", str(error))
        else:
            yield from broker_check(path, table, tls=tls)
        other = clients.setdefault((table.url, table.client_id), table.id)
        if other != table.id:
            what = f"{other!r} has it too: the broker would throw them out in turn"
            yield Finding(f"{path}.client_id", what, "give each connection its own")
        yield from _topics(path, table, config)


def _topics(path: str, table: MqttTable, config: Config) -> Iterator[Finding]:
    filters: set[str] = set()
    if not table.topics:
        fix = 'topics = [{ filter = "...", reader = "..." }]'
        yield Finding(f"{path}.topics", "no topics", fix)
    for number, topic in enumerate(table.topics):
        where = f"{path}.topics[{number}]"
        if topic.filter in filters:
            yield Finding(f"{where}.filter", "the filter is there twice", "one reader a filter")
        filters.add(topic.filter)
        yield from _topic(where, table, topic, config)


def _topic(where: str, table: MqttTable, topic: TopicTable, config: Config) -> Iterator[Finding]:
    if not _is_filter(topic.filter):
        fix = "'#' stands alone at the end, '+' alone between slashes"
        yield Finding(f"{where}.filter", f"{topic.filter!r} is no topic filter", fix)
    reader = next((reader for reader in config.readers if reader.id == topic.reader), None)
    if reader is None:
        fix = _one_of(topic.reader, [reader.id for reader in config.readers])
        yield Finding(f"{where}.reader", f"no [[reader]] has id {topic.reader!r}", fix)
    elif reader.link != f"mqtt:{table.id}":
        what = f"the link of {topic.reader!r} is {reader.link!r}"
        yield Finding(f"{where}.reader", what, f"write link = 'mqtt:{table.id}' there")
    if topic.qos == 2:
        what = (
            "QoS 2 loses reads: the client library confirms a QoS 2 message (PUBREC) before the outbox has "
            "it, so a kill or a power cut in between loses it"
        )
        yield Finding(f"{where}.qos", what, "use 1; what comes twice is known by its key")
    if topic.qos == 0:
        what = "QoS 0 loses reads: the broker sends a message once and forgets it"
        yield Finding(f"{where}.qos", what, "use 1, in the reader's settings too")


def _empty(config: Config) -> Iterator[Finding]:
    if not config.lanes:
        yield Finding("lane", "no lane", "add [[lane]] with id and direction")
    if not config.readers:
        yield Finding("reader", "no reader", "add [[reader]] with id, link and protocol")


def _is_filter(text: str) -> bool:
    """MQTT 3.1.1, section 4.7.1: where wildcards may stand."""
    levels = text.split("/")
    if "\0" in text or len(text.encode()) > 65_535:
        return False
    if any("#" in level for level in levels[:-1]) or ("#" in levels[-1] and levels[-1] != "#"):
        return False
    return all("+" not in level or level == "+" for level in levels)


def _one_of(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there are: {', '.join(names)}" if names else "there is none yet"


def _pages(config: Config) -> Iterator[Finding]:
    try:
        parse_listen(config.health.listen or "127.0.0.1:0")
    except ListenError as error:
        yield Finding("health.listen", "the pages cannot be served there", str(error))
