#!/usr/bin/env python3
"""Recomputes every balance from a journal directory, without a line of the switch's code.

    python3 crates/journal/tests/balances.py DIRECTORY     # a JSON line for each account: id, asset, ledger, held

The records are read and checked by read_journal.py. What a fact means for the books is written down here once more,
from its description alone (payload version 2); the tests of the command-line tool compare the result with what the
switch says of every account. Needs the whole journal from its first record, in clear.
"""

import json
import struct
import sys
from pathlib import Path

from read_journal import check, read_journal

# How a request is laid out: a letter for each field, in order. Little-endian, fixed width.
#   b u8 or bool   h u16   i u32   q u64   u enum (u32)   t text (u64 length)   k 16 bytes   m money (i64, u16)
#   ?x optional x   (..) a group
REQUEST = "u k i m ?m i i q ?t ?h ?h ?h t t t u ?m b u b u u i ?h t ?t ?(?i?i?q?t?t?i) ?(?t b b b)".replace(" ", "")


class Reader:
    """Takes fields off the front of a payload."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, form: str):
        """One number."""
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values[0]

    def text(self) -> str:
        length = self.take("Q")
        self.at += length
        return self.data[self.at - length:self.at].decode()

    def units(self) -> int:
        """Signed, 128 bits."""
        self.at += 16
        return int.from_bytes(self.data[self.at - 16:self.at], "little", signed=True)

    def amounts(self) -> int:
        """The card's money is passed over; the account's units."""
        self.skip("m")
        return self.units()

    def number(self):
        """An optional number of 64 bits."""
        return self.take("Q") if self.take("B") else None

    def skip(self, fields: str) -> None:
        """Passes over fields as REQUEST describes them."""
        place = 0
        while place < len(fields):
            optional = fields[place] == "?"
            place += optional
            end = place + 1
            if fields[place] == "(":
                end = fields.index(")", place) + 1
            if not optional or self.take("B"):
                self.skip_one(fields[place:end])
            place = end

    def skip_one(self, field: str) -> None:
        if field.startswith("("):
            self.skip(field[1:-1])
        elif field == "t":
            self.text()
        else:
            self.at += {"b": 1, "h": 2, "i": 4, "u": 4, "q": 8, "k": 16, "m": 10}[field]


class Books:
    """The accounts of one shard, and what each of its transactions holds."""

    def __init__(self) -> None:
        self.accounts, self.cards, self.holds, self.paid = [], [], {}, {}

    def book(self, card: int, ledger: int, held: int) -> None:
        account = self.accounts[self.cards[card][0]]
        account["ledger"] += ledger
        account["held"] += held

    def outside(self, card: int, units: int) -> int:
        """What comes from the balance service for a JIT card, when something is held or paid; else nothing."""
        return units if self.cards[card][1] else 0

    def hold(self, number: int, card: int, units: int) -> None:
        self.book(card, self.outside(card, units), units)
        self.holds[number] = [card, self.holds.get(number, [card, 0])[1] + units]

    def release(self, number: int, units: int) -> None:
        self.hold(number, self.holds[number][0], -units)

    def apply(self, fact: Reader) -> None:
        kind = fact.take("I")
        if kind in (2, 4, 5, 6, 7, 9, 12, 14, 16, 17, 18, 26, 27):
            return  # limits, states, controls, rates, refusals, duties, answers: no money moves
        number = fact.take("I") if kind in (0, 1, 3) else fact.take("Q")
        if kind == 0:  # AccountOpened
            account, asset = fact.text(), fact.text()
            self.accounts.append({"account": account, "asset": asset, "ledger": 0, "held": 0})
        elif kind == 1:  # Posted
            sign = -1 if fact.take("I") else 1
            self.accounts[number]["ledger"] += sign * fact.units()
        elif kind == 3:  # CardIssued
            fact.text(), fact.skip("kh")
            account = fact.take("I")
            fact.skip("ht")
            self.cards.append((account, fact.take("I") == 1))
        elif kind == 10:  # Asked: held only once it is approved
            self.holds[number] = [fact.take("I"), 0]
        elif kind == 11:  # AskApproved
            self.hold(number, self.holds[number][0], fact.amounts())
        elif kind == 8:  # Approved
            card = fact.take("I")
            fact.skip(REQUEST)
            self.hold(number, card, fact.amounts())
        elif kind in (13, 15, 25):  # Reversed, HoldExpired, HoldReleased: what is still held is free
            self.release(number, self.holds[number][1])
        elif kind == 19:  # HoldChanged: to a new total
            of, card = fact.take("Q"), fact.take("I")
            fact.skip(REQUEST)
            self.hold(of, card, fact.amounts() - self.holds[of][1])
        elif kind == 20:  # PartlyReversed
            fact.number()
            self.release(number, fact.amounts())
        elif kind == 21:  # Cleared
            of, card = fact.number(), fact.take("I")
            if fact.take("B"):  # else the fact before has the message
                fact.skip(REQUEST)
            paid, from_hold, released = fact.amounts(), fact.amounts(), fact.amounts()
            self.book(card, self.outside(card, paid - from_hold) - paid, 0)
            self.paid[number] = card
            if of in self.holds and self.holds[of][1]:
                self.holds[of][1] -= from_hold
                self.book(card, 0, -from_hold)
                self.release(of, released)
                if fact.take("B"):
                    self.holds[of][1] = 0
        elif kind == 23:  # Refunded
            fact.number()
            card = fact.take("I")
            fact.skip(REQUEST)
            units = fact.amounts()
            self.book(card, units - self.outside(card, units), 0)
            self.paid[number] = card
        elif kind in (22, 24):  # ClearingReversed gives back, RefundReversed takes again
            card, units = self.paid[number], fact.amounts()
            units = units if kind == 22 else -units
            self.book(card, units - self.outside(card, units), 0)
        else:
            check(kind in (28, 29, 30), Path(), 0, f"fact {kind} is unknown to this reader")  # whether answers arrived


def main() -> None:
    directory, shards = Path(sys.argv[1]), {}
    for record in read_journal(directory):
        check(record["version"] == 2, directory, 0, f"record {record['sequence']} is not of payload version 2")
        shards.setdefault(record["shard"], Books()).apply(Reader(bytes.fromhex(record["payload"])))
    for books in shards.values():
        for account in books.accounts:
            print(json.dumps(account))


if __name__ == "__main__":
    main()
