"""Keep the grouping what a fold over all stays and words in order would make it, by redoing as little as possible.

`grouping.choose` and `decide.find_target` look only at what comes before a stay or word. So a new or changed
stay can alter the answer for itself and for later ones that look at a crossing it changed. Those are asked
again, in order; where an answer differs, the stay or word moves, and what looks at the crossings that changed
by that is asked too. It ends, since only later ones are ever added.
"""

import heapq
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from schemas.reference import Trip
from stream.lanes.decide import find_target, with_word, without_word
from stream.lanes.due import MATCH_US
from stream.lanes.grouping import choose, is_beside, trips_for
from stream.lanes.heard import is_same_stay, union
from stream.lanes.quiet import grows_quietly, joins_quietly
from stream.lanes.rows import SLACK_US, AnyWord, Crossing, Heard, Key, Pending
from stream.lanes.shelves import BOOTH
from stream.lanes.world import World
from stream.reference import declared

#: Before every stay.
BEGINNING: Key = (-1, "", "")


class Regroup:
    """One regrouping of one pair, caused by one input."""

    def __init__(self, world: World, pair: str, at_us: int) -> None:
        """`at_us`: event time of the input."""
        self._world = world
        self._pair = pair
        self._at_us = at_us
        self._queue: list[tuple[Key, str]] = []
        self._asked: set[tuple[Key, str]] = set()
        self._stays: dict[Key, Heard] = {}
        self._moved_to: dict[str, str] = {}
        self._left: list[str] = []

    # ---- what changed

    def stay(self, stay: Heard) -> str:
        """A stay was heard, or more of it; returns the crossing that it is in now."""
        homes = [
            (crossing, one)
            for crossing in self._world.with_token(stay.token)
            if crossing.pair == self._pair
            for one in crossing.heard
            if one.token == stay.token and is_same_stay(one, stay)
        ]
        whole = stay
        for _, one in homes:
            whole = union(one, whole)
        if len(homes) == 1 and homes[0][1].key == whole.key:
            return self._grown(*homes[0], whole)
        for crossing, one in homes:
            self._take_out(crossing.crossing_id, one)
            self._left.append(crossing.crossing_id)
        self._stays[whole.key] = whole
        self._ask(whole.key, "")
        self.run()
        return self._home_of(whole)

    def word(self, word: AnyWord) -> None:
        """An officer said something."""
        self._world.set_pending(word.event_id, Pending(pair=self._pair, word=word))
        self._ask(word.key, "")
        self.run()

    def look_again(self, crossings: Iterable[Crossing]) -> None:
        """Rows changed that grouping looks at: ask everything in the crossings again."""
        for crossing in crossings:
            self._affected(crossing.crossing_id, BEGINNING)
        self.run()

    # ---- asking

    def run(self) -> None:
        """Ask in order until nothing is left to ask, then see which crossings are one."""
        while self._queue:
            key, home = heapq.heappop(self._queue)
            if key in self._stays:
                self._place_stay(self._stays.pop(key), "")
                continue
            crossing = self._world.get(home) if home else None
            for one in crossing.heard if crossing else ():
                if one.key == key:
                    self._place_stay(one, home)
                    break
            else:
                self._place_word(key, crossing)
        self._merge()
        self._named()

    def _named(self) -> None:
        """Words that named a crossing before it was there."""
        for one in self._world.pending_for(None):
            word = one.word
            if word.named is not None and one.pair == self._pair:
                target = find_target(self._world, self._pair, word)
                if target is not None:
                    self._world.set_pending(word.event_id, None)
                    self._put(target, **with_word(target, word))
                    self._affected(target.crossing_id, word.key)
        if self._queue:
            self.run()

    def _ask(self, key: Key, home: str) -> None:
        if (key, home) not in self._asked:
            self._asked.add((key, home))
            heapq.heappush(self._queue, (key, home))

    def _place_stay(self, stay: Heard, home: str) -> None:
        target = choose(self._world, self._pair, stay)
        here = self._world.get(home) if home else None
        if target is None:
            if here is not None and here.heard[0].key == stay.key:
                return  # it opened its crossing, and still does
            target = self._world.open(self._pair, stay, stay.event_ids[0])
            if here is not None and self._world.was_published(home):
                target = replace(target, split_from=home)
        if target.crossing_id == home:
            return
        if here is not None:
            self._take_out(home, stay)
            self._moved_to[home] = target.crossing_id
        elif not home:
            left = [name for name in self._left if name != target.crossing_id]
            self._moved_to.update(dict.fromkeys(left, target.crossing_id))
        target = self._world.get(target.crossing_id) or target
        now = self._put(target, heard=(*target.heard, stay))
        if stay.key < self._world.newest:
            if joins_quietly(self._world, target, now, stay):
                self._asked_by(now, stay)
            else:
                self._affected(target.crossing_id, stay.key)

    def _asked_by(self, crossing: Crossing, stay: Heard) -> None:
        """A stay joined, and nothing in the crossing looks at it: ask only what looks at the stay itself."""
        key, name = stay.key, crossing.crossing_id
        holders = {stay.who: None}
        holders.update(dict.fromkeys(self._companions(stay.who, crossing)))
        for who in holders:
            self._later_of(who, name, key)
        self._later_beside(stay, key, besides=name)
        if stay.position in BOOTH:
            self._later_words(stay, key)

    def _place_word(self, key: Key, home: Crossing | None) -> None:
        word = self._word_at(key, home)
        if word is None:
            return
        target = find_target(self._world, self._pair, word)
        if target is not None and home is not None and target.crossing_id == home.crossing_id:
            return
        if home is not None:
            self._put(home, **without_word(home, word))
            self._affected(home.crossing_id, key)
        if target is None:
            self._world.set_pending(word.event_id, Pending(pair=self._pair, word=word))
            return
        self._world.set_pending(word.event_id, None)
        target = self._world.get(target.crossing_id) or target
        self._put(target, **with_word(target, word))
        self._affected(target.crossing_id, key)

    def _word_at(self, key: Key, home: Crossing | None) -> AnyWord | None:
        if home is not None:
            return next((word for word in home.words() if word.key == key), None)
        return next((one.word for one in self._world.pending() if one.word.key == key), None)

    # ---- what may be altered

    def _affected(self, name: str, after: Key) -> None:
        """Ask everything later again that looks at the crossing."""
        crossing = self._world.get(name)
        if crossing is None or after >= self._world.newest:
            return
        for one in crossing.heard:
            if one.key > after:
                self._ask(one.key, name)
        for word in crossing.words():
            if word.key > after and word.named is None:
                self._ask(word.key, name)
        holders = dict.fromkeys([one.who for one in crossing.heard])
        for who in list(holders):
            holders.update(dict.fromkeys(self._companions(who, crossing)))
        for who in holders:
            self._later_of(who, name, after)
        for one in crossing.heard:
            self._later_beside(one, after)
            if one.position in BOOTH:
                self._later_words(one, after)

    def _later_of(self, who: str, name: str, after: Key) -> None:
        for other in self._world.holding(who):
            if other.last_us >= after[0] and other.crossing_id != name and other.pair == self._pair:
                for one in other.heard:
                    if one.who == who and one.first_us >= after[0] and one.key > after:
                        self._ask(one.key, other.crossing_id)

    def _companions(self, who: str, crossing: Crossing) -> Iterable[str]:
        trips: list[Trip] = trips_for(self._world, who, crossing.direction, crossing.first_us)
        return [thing for trip in trips for thing in declared(trip)]

    def _later_beside(
        self, stay: Heard, after: Key, *, was: Heard | None = None, besides: str = ""
    ) -> None:
        """`was`: the stay before it grew; only what is beside it differently now is asked."""
        for other in self._world.heard_at(self._pair, stay if was is None else was):
            if other.pair != self._pair or other.last_us < after[0] or other.crossing_id == besides:
                continue
            for one in other.heard:
                if one.first_us < after[0] or one.key <= after:
                    continue
                gap = is_beside(stay if was is None else was, one)
                if gap is not None and (was is None or gap != is_beside(stay, one)):
                    self._ask(one.key, other.crossing_id)

    def _later_words(self, stay: Heard, after: Key, since_us: int = 0) -> None:
        """`since_us`: words of before that moment see what they saw."""
        until = stay.last_us + SLACK_US
        for other in self._world.at_booth(self._pair, stay.lane, stay.first_us, until):
            for words in (other.rulings, other.keyed, other.corrected):
                for word in words:
                    if (
                        word.at_us > since_us
                        and word.named is None
                        and word.lane == stay.lane
                        and word.key > after
                    ):
                        self._ask(word.key, other.crossing_id)
        for one in self._world.pending_for(stay.lane):
            if one.pair == self._pair and _may_be_about(one.word, stay):
                self._ask(one.word.key, "")

    # ---- changing

    def _grown(self, crossing: Crossing, old: Heard, whole: Heard) -> str:
        """More of a stay whose place in the order is the same."""
        name = crossing.crossing_id
        if old == whole:
            return name
        every = tuple([whole if one is old else one for one in crossing.heard])
        now: Crossing | None
        if grows_quietly(crossing, old, whole):
            now = self._world.grow(crossing, every, whole.last_us, self._at_us)
        else:
            self._put(crossing, heard=every)
            now = self._world.get(name)
        newest_us = self._world.newest[0]
        if whole.key < self._world.newest:
            if (
                now is None
                or (now.how, now.ended_at_us) != (crossing.how, crossing.ended_at_us)
                or newest_us > crossing.last_us + MATCH_US
                or not old.gone <= whole.gone
            ):
                self._affected(name, whole.key)
            elif whole.gone:
                # What looked at the end of this stay sees another one only if it comes after it.
                end_us = old.last_us if old.gone else whole.last_us
                if newest_us > end_us:
                    self._later_beside(whole, whole.key, was=old)
                    if old.position in BOOTH:
                        self._later_words(old, whole.key, end_us)
        if not self._queue:
            return name
        self.run()
        return self._home_of(whole)

    def _take_out(self, name: str, stay: Heard) -> None:
        crossing = self._world.get(name)
        if crossing is None:
            return
        left = tuple([one for one in crossing.heard if one.key != stay.key])
        self._affected(name, stay.key)
        self._put(crossing, heard=left)

    def _put(self, crossing: Crossing, **changes: Any) -> Crossing:
        at_us = crossing.at_us
        return self._world.put(
            crossing, at_us=at_us if at_us > self._at_us else self._at_us, **changes
        )

    def _home_of(self, stay: Heard) -> str:
        key = stay.key
        for crossing in self._world.with_token(stay.token):
            for one in crossing.heard:
                if one.first_us == stay.first_us and one.key == key:
                    return crossing.crossing_id
        return ""

    # ---- crossings that turn out to be one

    def _merge(self) -> None:
        """Crossings that lost all their stays were part of another one: the id that was opened first stays."""
        if not self._moved_to:
            return
        groups: dict[str, list[Crossing]] = {}
        for name in self._moved_to:
            crossing = self._world.get(name)
            if crossing is not None and not crossing.heard and crossing.merged_into is None:
                groups.setdefault(self._end_of_moves(name), []).append(crossing)
        for name, empty in groups.items():
            full = self._world.get(name)
            if full is not None:
                self._unite(full, empty)

    def _end_of_moves(self, name: str) -> str:
        for _ in range(len(self._moved_to)):
            crossing = self._world.get(name)
            if crossing is not None and crossing.heard:
                return name
            name = self._moved_to.get(name, name)
        return name

    def _unite(self, full: Crossing, empty: list[Crossing]) -> None:
        for one in empty:
            for word in one.words():
                full = replace(full, **with_word(full, word))
        first = min((full, *empty), key=lambda one: one.number)
        for one in (full, *empty):
            if one.crossing_id == first.crossing_id:
                continue
            if self._world.was_published(one.crossing_id):
                self._put(
                    one,
                    heard=(),
                    rulings=(),
                    keyed=(),
                    corrected=(),
                    merged_into=first.crossing_id,
                )
            else:
                self._world.drop(one.crossing_id)
        self._put(
            first,
            heard=full.heard,
            rulings=full.rulings,
            keyed=full.keyed,
            corrected=full.corrected,
        )


def _may_be_about(word: AnyWord, stay: Heard) -> bool:
    if word.lane != stay.lane or word.at_us < stay.first_us - SLACK_US:
        return False
    return not stay.gone or word.at_us <= stay.last_us + SLACK_US
