"""The waiting events of a damaged outbox, without holes: `Skipped` where one is missing. Values only."""

from collections.abc import Iterator

from gateway.batch import WaitingRow
from gateway.outbox_chain import Tail
from gateway.outbox_file import Owner
from schemas.chain import next_link
from schemas.gate import Skipped, event_id
from schemas.wire import SchemaError, decode, encode

TOPIC = "gate-events"


class Mender:
    """Takes the rows that could be read, in order; gives rows that follow each other."""

    def __init__(self, owner: Owner, epoch: str, tail: Tail | None) -> None:
        """`tail`: where the old outbox stood, None when that could not be read."""
        self._owner = owner
        self._epoch = epoch
        self._tail = tail
        #: The link of the last row; None: not known, or the row had none.
        self._link = None if tail is None else tail.sent_link
        self._next = None if tail is None else tail.sent_seq + 1
        #: Whether the links from here on must be made anew.
        self._anew = False
        #: The last row is held back: it must be signed if it is the last of all.
        self._held: WaitingRow | None = None
        self._done: list[WaitingRow] = []

    def unsound(self, row: WaitingRow) -> str | None:
        """Why a row cannot be sent, None when it can."""
        try:
            message = decode(TOPIC, row.value)
        except SchemaError as error:
            return f"damaged: {error}"
        if getattr(message, "event_id", "") != event_id(self._owner.gateway, row.epoch, row.seq):
            return "damaged: another event's id"
        linked = not self._anew and self._follows(row.seq) and not self._unlinked(row)
        if not linked or self._link is None or row.chain is None:
            return None
        same = next_link(self._link, row.seq, row.value) == row.chain
        return None if same else "damaged: not the value that was linked"

    def take(self, row: WaitingRow) -> None:
        """The next row that can be sent."""
        if not self._follows(row.seq):
            self._skip(row.seq - 1, row.at_us)
        self._anew = self._anew or self._unlinked(row)
        self._put(self._linked(row) if self._anew else row)

    def end(self, last_seq: int | None) -> Iterator[WaitingRow]:
        """No more rows: the numbers up to `last_seq` were given out."""
        if last_seq is not None and self._next is not None and self._next <= last_seq:
            self._skip(last_seq, self._held.at_us if self._held else 0)
        yield from self.done()
        if (row := self._held) is not None:
            signer = self._owner.signer
            if signer is not None and row.chain is not None and row.signature is None:
                row = row._replace(signature=signer.header(row.chain))
            yield row

    def done(self) -> Iterator[WaitingRow]:
        """The rows that are finished."""
        done, self._done = self._done, []
        yield from done

    def _follows(self, seq: int) -> bool:
        return self._next is None or seq == self._next

    def _unlinked(self, row: WaitingRow) -> bool:
        """Whether the outbox had not yet made its final link."""
        return self._tail is not None and row.seq > self._tail.linked_seq

    def _skip(self, last_seq: int, at_us: int) -> None:
        """Say openly that the numbers from the next one to `last_seq` cannot be read."""
        first = self._next or last_seq
        skipped = Skipped(
            event_id=event_id(self._owner.gateway, self._epoch, first),
            pair=self._owner.pair,
            at_us=at_us,
            from_seq=first,
            to_seq=last_seq,
            cause="lost in a damaged outbox",
        )
        self._anew = True
        row = WaitingRow(first, at_us, encode(skipped), b"", None, self._epoch)
        self._put(self._linked(row))
        self._next = last_seq + 1

    def _linked(self, row: WaitingRow) -> WaitingRow:
        signer = self._owner.signer
        if signer is None or self._link is None or row.chain is None:
            return row._replace(chain=None, signature=None)
        link = next_link(self._link, row.seq, row.value)
        return row._replace(chain=link, signature=signer.header(link) if row.signature else None)

    def _put(self, row: WaitingRow) -> None:
        if self._held is not None:
            self._done.append(self._held)
        self._held = row
        self._link = row.chain or self._link
        self._next = row.seq + 1
