"""Switches of a site: by name, the most particular one in force."""

from schemas.policy import Switches
from stream.lanes.switches import releases_in_motion, requires_signatures
from stream.reference import Reference

PAIR = "lar-wtb"
T = 1_772_460_000_000_000


def reference(*rows: Switches) -> Reference:
    found = Reference()
    for row in rows:
        found.fold("policies", row.policy_id, row)
    return found


def row(policy_id: str, *, on: bool, since: int = T, until: int | None = None) -> Switches:
    return Switches(
        policy_id=policy_id,
        effective_from_us=since,
        effective_to_us=until,
        accepted_at_us=T - 1,
        release_in_motion=on,
        require_signatures=on,
    )


def test_a_site_without_rows_has_everything_off() -> None:
    assert not releases_in_motion(reference(), PAIR, "MX>US", T)
    assert not requires_signatures(reference(), PAIR, T)


def test_a_switch_holds_only_within_its_effective_times() -> None:
    known = reference(row("switches", on=True, until=T + 10))
    found = [releases_in_motion(known, PAIR, "MX>US", T + at) for at in (-1, 0, 9, 10)]
    assert found == [False, True, True, False]
    assert [requires_signatures(known, PAIR, T + at) for at in (-1, 0)] == [False, True]


def test_the_most_particular_row_in_force_decides() -> None:
    known = reference(
        row("switches", on=True),
        row(f"switches:{PAIR}", on=False),
        row(f"switches:{PAIR}:MX>US", on=True, since=T + 5),
    )
    found = [releases_in_motion(known, PAIR, "MX>US", T + at) for at in (0, 5)]
    assert found == [False, True]
    assert not releases_in_motion(known, PAIR, "US>MX", T + 5)
    assert releases_in_motion(known, "elsewhere", "MX>US", T)
