"""The command line: `gatebook COMMAND`. A command's code is imported only when it is used."""

import importlib
import sys
from typing import Final, cast

import typer
from typer.core import TyperCommand, TyperGroup

#: Command -> module and attribute of its typer application, in the order of the help.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("simulators.cli", "demo"),
    "gateway": ("gateway.cli", "app"),
    "outbox": ("gateway.outbox_cli", "app"),
    "decode": ("gateway.decode", "app"),
    "stream": ("stream.cli", "stream"),
    "topics": ("stream.cli", "topics"),
    "reference": ("stream.cli", "reference"),
    "policy": ("stream.policy_cli", "app"),
    "exchange": ("stream.exchange_cli", "app"),
    "unmatched": ("stream.unmatched_cli", "app"),
    "audit": ("stream.audit_cli", "app"),
    "replay": ("stream.replay_cli", "app"),
    "database": ("stream.database.cli", "app"),
    "simulate": ("simulators.cli", "simulate"),
    "score": ("simulators.cli", "score"),
}


class _LazyGroup(TyperGroup):
    """A group whose members are imported by name."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 - typer's signature
        return list(COMMANDS)

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        command = typer.main.get_command(getattr(importlib.import_module(module), attribute))
        command.name = cmd_name
        return cast("TyperCommand", command)


app = typer.Typer(
    cls=_LazyGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="RFID reads at a land border in, arrival notices and border records out.",
)


@app.callback()
def _root() -> None:
    """RFID reads at a land border in, arrival notices and border records out."""


def main() -> None:
    """Entry point of the `gatebook` command."""
    try:
        app(prog_name="gatebook")
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


if __name__ == "__main__":
    main()
