"""The great circle, and what is too fast over it."""

import pytest

from stream.watch.travel import DEFAULTS, great_circle_km, is_impossible

HOUR_US = 3_600_000_000


@pytest.mark.parametrize(
    ("places", "km"),
    [
        ((0.0, 0.0, 0.0, 0.0), 0.0),
        ((0.0, 0.0, 0.0, 180.0), 20_015.1),
        ((90.0, 0.0, -90.0, 0.0), 20_015.1),
        ((0.0, 179.5, 0.0, -179.5), 111.195),
        ((0.0, 0.0, 90.0, 17.0), 10_007.6),
    ],
)
def test_the_great_circle_is_right_at_places_where_it_is_known(
    places: tuple[float, float, float, float], km: float
) -> None:
    assert great_circle_km(*places) == pytest.approx(km, rel=1e-5)


@pytest.mark.parametrize(
    ("km", "hours", "flies", "impossible"),
    [
        (1_000, 10.0, False, False),
        (1_000, 5.0, False, True),
        (1_000, 5.0, True, False),
        (1_000, 1.0, True, True),
        (1_000, -3.0, True, True),
        (13, 0.0, False, False),
        (20, 0.0, True, True),
    ],
)
def test_people_fly_and_vehicles_drive(
    km: float, hours: float, flies: bool, impossible: bool
) -> None:
    between = round(hours * HOUR_US)
    assert is_impossible(km, between, DEFAULTS, flies=flies) is impossible
