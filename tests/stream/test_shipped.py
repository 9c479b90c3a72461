"""The shipped policy sets beneath the rows of the topic."""

from msgspec.structs import replace

from schemas.policy import LaneRules
from stream.config import PolicySet
from stream.reference import Reference
from stream.shipped import SETS, fold_shipped, shipped


def test_the_sets_that_a_configuration_may_name_are_those_that_ship() -> None:
    assert PolicySet.__args__ == SETS  # type: ignore[attr-defined]


def test_a_set_holds_beneath_what_comes_later() -> None:
    reference = fold_shipped("today", Reference())
    assert {row.policy_id for row in reference.policies(LaneRules)} <= {
        row.policy_id for row in shipped("today")
    }
    first = reference.policies(LaneRules)[0]
    later = replace(first, source="of the topic")
    reference.fold("policies", later.policy_id, later)
    assert reference.policy(first.policy_id) == later
    assert len(reference.policies(LaneRules)) > 1


def test_without_a_set_there_is_no_policy() -> None:
    assert len(fold_shipped(None, Reference())) == 0
