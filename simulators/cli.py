"""Commands `gatebook demo`, `gatebook simulate` and `gatebook score`."""

import asyncio
import sys
from collections.abc import Coroutine
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

FINDINGS = 1
USAGE = 2
FATAL = 3

demo = typer.Typer(pretty_exceptions_enable=False)
simulate = typer.Typer(
    no_args_is_help=True,
    help="Parts of the simulated border, one by one.",
    pretty_exceptions_enable=False,
)
score = typer.Typer(pretty_exceptions_enable=False)


class BrokerChoice(StrEnum):
    """What `--broker` may name."""

    AUTO = "auto"
    MOSQUITTO = "mosquitto"
    AMQTT = "amqtt"


WorldFile = Annotated[
    Path, typer.Argument(metavar="WORLD", exists=True, dir_okay=False, help="A world file.")
]
Seed = Annotated[int, typer.Option(help="Of the simulated world: the same seed, the same trucks.")]


Duration = Annotated[
    float | None,
    typer.Option("--for", min=10, metavar="S", help="Seconds of traffic; else until Ctrl-C."),
]
Headless = Annotated[
    bool, typer.Option("--headless", help="NDJSON of the outputs on stdout, no picture.")
]
DropSighting = Annotated[
    bool, typer.Option("--drop-sighting", help="Let a reader not hear one card: must end with 1.")
]
Noise = Annotated[
    bool, typer.Option("--noise", help="Garbage on lines and topics: must change nothing.")
]
Broker = Annotated[
    BrokerChoice, typer.Option(help="The MQTT broker; auto: mosquitto where it is installed.")
]
Keep = Annotated[
    Path | None, typer.Option(metavar="DIR", file_okay=False, help="Work in this folder; keep it.")
]
PortLog = Annotated[
    bool, typer.Option("--port-log", help="Capture what crosses the ports, in DIR/captures.")
]


@demo.command("demo")
def run(
    *,
    for_s: Duration = None,
    headless: Headless = False,
    seed: Seed = 7,
    drop_sighting: DropSighting = False,
    noise: Noise = False,
    broker: Broker = BrokerChoice.AUTO,
    keep: Keep = None,
    port_log: PortLog = False,
) -> None:
    """Run everything on one machine and compare what comes of it with the truth.

    Exit codes: 0 as the truth says, 1 something is missing, extra or wrong, 2 usage, 3 it could not run.
    """
    if port_log and keep is None:
        _stop("--port-log needs --keep DIR: else the captures are deleted with the rest", USAGE)
    if keep is not None and keep.is_dir() and any(keep.iterdir()):
        _stop(f"{keep} is not empty: name a new folder", USAGE)
    from simulators.demo import DemoSettings, run_demo  # noqa: PLC0415 - only what is used is loaded

    settings = DemoSettings(
        for_s=for_s,
        headless=headless,
        seed=seed,
        drop_sighting=drop_sighting,
        noise=noise,
        broker=broker.value,
        keep=keep,
        port_log=port_log,
    )
    raise typer.Exit(run_demo(settings))


@score.command("score")
def score_files(
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", exists=True, dir_okay=False)],
    records: Annotated[Path, typer.Argument(metavar="RECORDS", exists=True, dir_okay=False)],
) -> None:
    """Compare outputs (NDJSON, of a headless demo or a replayed day) with the truth; exit 1 if they differ."""
    from simulators.day.report import is_day  # noqa: PLC0415
    from simulators.scoring import ScoreError, score_lines  # noqa: PLC0415

    with truth.open("rb") as lines:
        if is_day(lines.readline()):
            _score_day(truth, records)
    try:
        found = score_lines(truth.read_bytes(), records.read_bytes())
    except ScoreError as error:
        _stop(str(error), USAGE)
    for line in found.lines:
        print(line)
    _tell_lead_times(records)
    print(found.verdict, file=sys.stderr)
    raise typer.Exit(FINDINGS if found.lines else 0)


def _tell_lead_times(records: Path) -> None:
    """How long before the booth notices came; nothing where none of a truck at a booth is in the file."""
    from simulators.lead_time import lead_times  # noqa: PLC0415

    with records.open("rb") as lines:
        figures = lead_times(lines)
    if figures.at_booth:
        print(figures, file=sys.stderr)


def _score_day(truth: Path, records: Path) -> NoReturn:
    from simulators.day.report import read_score, report, verdict  # noqa: PLC0415
    from simulators.scoring import ScoreError  # noqa: PLC0415

    try:
        with truth.open("rb") as scenes, records.open("rb") as lines:
            found = read_score(scenes, lines)
    except ScoreError as error:
        _stop(str(error), USAGE)
    for line in report(found):
        print(line)
    _tell_lead_times(records)
    print(verdict(found), file=sys.stderr)
    raise typer.Exit(0 if found.good else FINDINGS)


@simulate.callback()
def _simulate() -> None:
    """Parts of the simulated border, one by one."""


@simulate.command("world")
def world(
    folder: Annotated[Path, typer.Argument(metavar="DIR", file_okay=False)],
    for_s: Annotated[float, typer.Option("--for", min=10, metavar="S")] = 60,
    seed: Seed = 7,
    start_in: Annotated[float, typer.Option(min=0, metavar="S", help="The first truck.")] = 10,
    mqtt_port: Annotated[int, typer.Option(min=1, max=65535)] = 1883,
) -> None:
    """Write a world: what is heard and decided, reference rows, the truth, and a gateway's configuration."""
    from simulators.preparing import write_world  # noqa: PLC0415

    trucks = write_world(folder.resolve(), seed, for_s=for_s, start_in_s=start_in, port=mqtt_port)
    print(f"{folder}: {trucks} trucks, the first one in {start_in:g} s", file=sys.stderr)


@simulate.command("day")
def day(
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", file_okay=False)] = None,
    scenes: Annotated[
        int, typer.Option(min=1, max=50_000, metavar="N", help="Stories; some are two passages.")
    ] = 1_000,
    hours: Annotated[float, typer.Option(min=0.5, max=24, help="How long vehicles come.")] = 24,
    seed: Seed = 7,
    odd: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=RATE", help="An odd case and its share; all=0.005; list."),
    ] = None,
) -> None:
    """Write a day of the border at three port pairs: DIR/day.ndjson for `gatebook replay`, DIR/truth.ndjson for `gatebook score`."""
    from simulators.write_day import list_odd, write_day  # noqa: PLC0415

    if odd == ["list"]:
        print("\n".join(list_odd()))
        raise typer.Exit
    if folder is None:
        _stop("name a folder DIR for the day and its truth", USAGE)
    try:
        print(write_day(folder, scenes, hours, seed, odd or ()), file=sys.stderr)
    except ValueError as error:
        _stop(str(error), USAGE)


@simulate.command("traffic")
def traffic(
    file: WorldFile,
    ports: Annotated[
        Path, typer.Option(metavar="DIR", file_okay=False, help="Folder of the serial ports.")
    ],
    mqtt: Annotated[str, typer.Option(metavar="HOST:PORT")] = "127.0.0.1:1883",
    noise: Annotated[
        int | None, typer.Option(metavar="SEED", help="Garbage on lines and topics.")
    ] = None,
    captures: Annotated[
        Path | None, typer.Option(metavar="DIR", exists=True, file_okay=False)
    ] = None,
) -> None:
    """Run all readers of a world file, which may still grow, up to its end line."""
    from simulators.traffic import TrafficSettings, run_traffic  # noqa: PLC0415

    ports.mkdir(parents=True, exist_ok=True)
    settings = TrafficSettings(ports=ports, broker=_broker(mqtt), noise=noise, captures=captures)
    _run(run_traffic(file, settings))


@simulate.command("officer")
def officer(file: WorldFile, log: Annotated[str, typer.Option("--log", metavar="URL")]) -> None:
    """Write a world's decisions into the event log when their time comes; again after a restart."""
    from simulators.officer import run_officer  # noqa: PLC0415
    from stream import journal  # noqa: PLC0415

    journal.configure()
    _run(run_officer(file, log))


@simulate.command("reader")
def reader(
    *,
    protocol: Annotated[str, typer.Option(metavar="NAME", help="`simulate kinds` lists them.")],
    on: Annotated[
        str, typer.Option(metavar="PLACE", help="pty:PATH, tcp:PORT, rfc2217:PORT, mqtt:HOST:PORT")
    ],
    name: Annotated[str, typer.Option(help="MQTT: it speaks on readers/NAME/…")] = "reader",
    tag: Annotated[
        list[str] | None, typer.Option(metavar="EPC", help="A tag in its field, as hex.")
    ] = None,
    antenna: Annotated[int, typer.Option(min=1, max=4)] = 1,
    trap: Annotated[
        list[str] | None, typer.Option(metavar="TRAP", help="A trouble of real ones.")
    ] = None,
    stopped: Annotated[
        bool,
        typer.Option("--stopped", help="MQTT: silent until a message on readers/NAME/control."),
    ] = False,
    rate: Annotated[
        float | None, typer.Option(min=0.1, max=5000, metavar="N", help="Reads a second, counted.")
    ] = None,
    for_s: Annotated[
        float | None, typer.Option("--for", min=0.1, metavar="S", help="With --rate: so long.")
    ] = None,
    new_every: Annotated[
        int, typer.Option(min=1, metavar="N", help="With --rate: a new tag after so many reads.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="With --rate: of the invented tags.")] = 7,
    batch: Annotated[
        int, typer.Option(min=0, max=500, metavar="N", help="Zebra: events of one message.")
    ] = 0,
    count_file: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="With --rate: counts, JSON.")
    ] = None,
) -> None:
    """Run one reader: tags that stay in its field until Ctrl-C, or reads by the clock, counted on stdout."""
    from simulators.alone import AloneSettings, ReaderError, place_of, run_reader  # noqa: PLC0415
    from simulators.load import Load  # noqa: PLC0415

    if rate is None and (for_s is not None or count_file is not None):
        _stop("--for and --count-file need --rate: tags that stay are not counted", USAGE)
    load = None
    if rate is not None:
        total = None if for_s is None else round(rate * for_s)
        load = Load(rate=rate, total=total, seed=seed, new_every=new_every)
    settings = AloneSettings(
        name=name,
        tags=tuple(tag or ()),
        antenna=antenna,
        traps=frozenset(trap or ()),
        load=load,
        batch=batch,
        stopped=stopped,
        count_file=count_file,
    )
    try:
        work = run_reader(protocol, place_of(on), settings)
    except ReaderError as error:
        _stop(str(error), USAGE)
    _run(work)


@simulate.command("readers")
def readers(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="TOML: [[reader]].")
    ],
    counts: Annotated[
        Path | None,
        typer.Option(metavar="DIR", exists=True, file_okay=False, help="Count files NAME.json."),
    ] = None,
) -> None:
    """Run several readers in one process: until Ctrl-C, or until all that have a duration are done."""
    from simulators.alone import ReaderError  # noqa: PLC0415
    from simulators.several import read_rows, run_readers  # noqa: PLC0415

    try:
        work = run_readers(read_rows(file.read_text(encoding="utf-8")), counts)
    except ReaderError as error:
        _stop(str(error), USAGE)
    _run(work)


@simulate.command("kinds")
def kinds() -> None:
    """List the simulated readers, and the traps of each."""
    from simulators.readers import (  # noqa: PLC0415
        MQTT_KINDS,
        SERIAL_KINDS,
        MqttKind,
        SerialKind,
    )

    found: dict[str, SerialKind | MqttKind] = {**SERIAL_KINDS, **MQTT_KINDS}
    for name, kind in found.items():
        where = "pty, tcp, rfc2217" if name in SERIAL_KINDS else "mqtt"
        print(f"{name}  ({where}; protocol {kind.protocol}, options {kind.options})")
        for trap, text in kind.traps.items():
            print(f"    --trap {trap}: {text}")


@simulate.command("broker")
def small_broker(port: Annotated[int, typer.Option(min=1, max=65535)]) -> None:
    """An MQTT broker on loopback without sessions, where mosquitto is not installed."""
    try:
        from simulators.small_broker import run_broker  # noqa: PLC0415
    except ImportError:
        _stop("amqtt is not installed: install mosquitto, or gatebook with its extra `demo`", FATAL)
    _run(run_broker(port))


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end, SIGTERM or Ctrl-C."""
    from simulators.world_file import WorldFileError  # noqa: PLC0415
    from stream.lifetime import stop_on_signals, unless_stopped  # noqa: PLC0415
    from stream.log.contract import LogError  # noqa: PLC0415
    from stream.log.url import LogUrlError  # noqa: PLC0415

    async def until_stopped() -> None:
        await unless_stopped(work, stop_on_signals())

    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(until_stopped())
    except (WorldFileError, LogUrlError) as error:
        _stop(str(error), USAGE)
    except LogError as error:
        _stop(str(error), FATAL)


def _broker(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        _stop(f"{text!r} is not HOST:PORT", USAGE)
    return host, int(port)


def _stop(text: str, code: int) -> NoReturn:
    print(text, file=sys.stderr)
    raise typer.Exit(code)
