"""What the live picture shows."""

import io

from rich.console import Console

from simulators.screen import Screen, arrivals, newest, newest_records, program_line, records
from simulators.supervise import Program
from tests.simulators.made import committed, heard, small_world, staged

WORLD = small_world()
COMMITTED = committed(staged(WORLD, heard(WORLD)))


def text(*parts: object) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    for part in parts:
        console.print(part)
    return console.export_text()


def test_arrivals_show_who_comes_where_and_what_does_not_fit() -> None:
    shown = text(arrivals(newest(COMMITTED)))
    assert "refused" in shown
    assert any("unknown_card" in line and "(0002d) ?" in line for line in shown.splitlines())
    assert any("driver_mismatch" in line and "0005x" in line for line in shown.splitlines())
    assert any("no_manifest" in line for line in shown.splitlines())


def test_records_show_both_countries_of_the_one_moment() -> None:
    shown = text(records(newest_records(COMMITTED)))
    assert shown.count("US 2304 L") == len(COMMITTED.records) == 10
    assert shown.count("MX 240") == 10


def test_programs_are_shown_with_pid_and_restarts() -> None:
    programs = [
        Program(name="gateway", argv=(), pid=4711, restarts=2, state="running"),
        Program(name="lanes", argv=()),
    ]
    shown = " ".join(text(program_line(programs)).split())
    assert "gateway 4711 (2 restarts)" in shown
    assert "lanes -" in shown


def test_the_picture_is_drawn_on_a_small_terminal_too() -> None:
    with Screen() as screen:
        screen.show("head", COMMITTED, [], at_once=True)
