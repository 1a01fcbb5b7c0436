#!/usr/bin/env python3
"""Recomputes every balance from a journal directory, without a line of the switch's code.

    python3 crates/journal/tests/balances.py DIRECTORY     # a JSON line for each account: id, asset, ledger, held

The records are read and checked by read_journal.py. What a fact means for the books is written down here once more,
from its description alone (payload version 2); the tests of the command-line tool compare the result with what the
switch says of every account. Reads the journal from its first record, in clear; no snapshot. Where segments have gone,
run it on a restored backup that has them.
"""

import json
import re
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

    def raw(self, length: int) -> bytes:
        self.at += length
        return self.data[self.at - length:self.at]

    def take(self, form: str):
        return struct.unpack("<" + form, self.raw(struct.calcsize("<" + form)))[0]

    def text(self) -> str:
        return self.raw(self.take("Q")).decode()

    def units(self) -> int:
        return int.from_bytes(self.raw(16), "little", signed=True)

    def amounts(self) -> int:
        return self.skip("m") or self.units()  # the card's money, then the account's units

    def number(self):
        return self.take("Q") if self.take("B") else None  # an optional one

    def skip(self, fields: str) -> None:
        """Passes over fields as REQUEST describes them."""
        for optional, group, field in re.findall(r"(\??)(?:\((.*?)\)|(.))", fields):
            if optional and not self.take("B"):
                continue
            if group or field == "t":
                self.skip(group) if group else self.text()
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
        """What the balance service brings for a JIT card; else nothing."""
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
            self.accounts.append({"account": fact.text(), "asset": fact.text(), "ledger": 0, "held": 0})
        elif kind == 1:  # Posted
            self.accounts[number]["ledger"] += (-1 if fact.take("I") else 1) * fact.units()
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
            card, units = self.paid[number], fact.amounts() * (1 if kind == 22 else -1)
            self.book(card, units - self.outside(card, units), 0)
        else:
            check(kind in (28, 29, 30), Path(), 0, f"fact {kind} is unknown to this reader")  # whether answers arrived


def main() -> None:
    directory, shards = Path(sys.argv[1]), {}
    for record in read_journal(directory):
        check(record["version"] == 2, directory, 0, f"record {record['sequence']} is not of payload version 2")
        shards.setdefault(record["shard"], Books()).apply(Reader(bytes.fromhex(record["payload"])))
    for account in (account for books in shards.values() for account in books.accounts):
        print(json.dumps(account))


if __name__ == "__main__":
    main()
