"""What tests ask of a decoder's outcomes."""

from collections.abc import Sequence

from gateway.reads import Outcome, Read, Rejected


def reads_of(outcomes: Sequence[Outcome]) -> list[Read]:
    """The reads among them."""
    return [outcome for outcome in outcomes if isinstance(outcome, Read)]


def epcs(outcomes: Sequence[Outcome]) -> list[bytes]:
    """The numbers that were read, in order."""
    return [read.epc for read in reads_of(outcomes)]


def reasons(outcomes: Sequence[Outcome]) -> list[str]:
    """Why the others were rejected, in order."""
    return [outcome.reason for outcome in outcomes if isinstance(outcome, Rejected)]
