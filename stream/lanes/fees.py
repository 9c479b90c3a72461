"""The user fee of a truck, as its row tells it: paid, not paid, or not known, which is not "paid".

Into the US a commercial truck owes a user fee. CBP keeps who paid it by VIN and plate, so a filing with another VIN
than the truck's row finds no payment (CBP's message CSMS 17-000729, as carriers' agents report it).
"""

from schemas.reference import FeeState, Truck
from stream.lanes.crossing import country_entered
from stream.lanes.join import Joined
from stream.lanes.rows import Crossing
from stream.policy.in_force import Moment
from stream.reference import Reference
from stream.trips.arrival import vin_differs


def fee_of(joined: Joined, reference: Reference, moment: Moment) -> FeeState:
    """Of the trucks that were read, else of the declared one: the worst of them."""
    links = [one for one in joined.links if one.role == "truck"]
    read = [one for one in links if one.basis == "read"] or links
    states = {_fee_of_one(one.id, joined, reference, moment) for one in read}
    if "not_paid" in states:
        return "not_paid"
    return "paid" if states == {"paid"} else "unknown"


def fee_flags(
    crossing: Crossing, joined: Joined, reference: Reference, moment: Moment
) -> tuple[str, ...]:
    """`fee_not_paid` for a truck into the US whose fee is known not to be paid."""
    if country_entered(crossing) != "US":
        return ()
    return ("fee_not_paid",) if fee_of(joined, reference, moment) == "not_paid" else ()


def _fee_of_one(name: str | None, joined: Joined, reference: Reference, moment: Moment) -> FeeState:
    truck = reference.truck(name or "")
    if truck is None:
        return "unknown"
    state = _state_at(truck, moment)
    trip = joined.trip
    if state == "paid" and trip is not None and trip.truck == name and vin_differs(trip, truck):
        return "unknown"
    return state


def _state_at(truck: Truck, moment: Moment) -> FeeState:
    state = truck.fee_status
    for one in truck.fees:
        known_by = moment.known_by_us
        if one.effective_from_us <= moment.at_us and (
            known_by is None or one.accepted_at_us <= known_by
        ):
            state = one.state
    return state
