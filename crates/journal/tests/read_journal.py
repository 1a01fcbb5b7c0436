#!/usr/bin/env python3
"""Recomputes every balance from a journal directory, by the drawn format alone: no code of the switch is in here.

    python3 crates/journal/tests/read_journal.py DIRECTORY    # a JSON line for each account

Stops at the first header, checksum, number or chain value that is wrong. Reads from the first record, in clear, and no
snapshot: where segments have gone, run it on a restored backup. Tests compare what it says with what the switch says.
"""
import hashlib, io, json, re, struct, sys
from pathlib import Path

TABLE = list(range(256))  # of CRC-32C
for _ in range(8):
    TABLE = [(crc >> 1) ^ (0x82F63B78 if crc & 1 else 0) for crc in TABLE]


def crc32c(data: bytes, start: int = 0) -> int:
    crc = start ^ 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def check(condition: bool, path: Path, offset: int, what: str) -> None:
    if not condition:
        sys.exit(f"{path} offset {offset}: {what}")


def read_batch(data: bytes, at: int, seed: int, chain: bytes, following: int, path: Path):
    """The records of the batch at an offset, the chain behind it, and its end."""
    checksum, length, count, first, _synced, offset, key = struct.unpack_from("<IIIQQQI", data, at + 4)
    check(checksum == crc32c(data[at + 8:at + 64], seed), path, at, "batch header checksum")
    check((offset, first, key) == (at, following, 0), path, at, "batch does not belong here, or is sealed")
    end, here, records = at + length - 48, at + 64, []
    while here < end:
        checksum, size, sequence, time, epoch, shard, kind, flags, version = struct.unpack_from("<IIQqIHBBH", data, here)
        check(checksum == crc32c(data[here + 4:here + 40 + size], seed), path, here, "record checksum")
        check((sequence, epoch, kind, flags) == (first + len(records), 0, 1, 0), path, here, "not the next record")
        records.append((sequence, shard, time, version, data[here + 40:here + 40 + size]))
        here += (40 + size + 7) // 8 * 8
    magic, checksum, last, chain_after = struct.unpack_from("<4sIQ32s", data, end)
    check(checksum == crc32c(data[end + 8:end + 48], seed), path, end, "batch trailer checksum")
    check((magic, here, len(records), last) == (b"TRLR", end, count, first + count - 1), path, end, "batch trailer")
    check(chain_after == hashlib.sha256(chain + data[at:end]).digest(), path, end, "chain")
    return records, chain_after, at + length


def read_journal(directory: Path):
    """Yields every record; the generator's value is the last chain value."""
    chain, following = bytes(32), 1
    for number, path in enumerate(sorted(directory.glob("segment-*.journal")), 1):
        data = path.read_bytes()
        magic, version, found, first, length, block, before, checksum = struct.unpack_from("<8sH6xQQQI12x32s36xI", data)
        check((magic, version) == (b"ASWJRNL\n", 1), path, 0, "not a segment of version 1")
        check(checksum == (seed := crc32c(data[:124])), path, 124, "header checksum")
        check((found, first, length, before) == (number, following, len(data), chain), path, 0, "not the next segment")
        at = block
        while data[at:at + 4] == b"BTCH":
            records, chain, end = read_batch(data, at, seed, chain, following, path)
            yield from records
            following += len(records)
            at = (end + block - 1) // block * block
    return chain


# How facts that move money begin. Each field is a letter or a group in parentheses, with ? before an optional one:
# b u8, h u16, i u32 or the number of a variant, q u64, n i128, k 16 bytes, t text, m money, a amounts, R a request.
REQUEST = "ikim?miiq?t?h?h?httti?mbibiii?ht?t?(?i?i?q?t?t?i)?(?tbbb)"
FACTS = {0: "itt", 1: "iin", 3: "itkhihti", 8: "qiRa", 10: "qi", 11: "qa", 13: "q", 15: "q", 19: "qqiRa", 20: "q?qa",
         21: "q?qi?Raaab", 22: "qa", 23: "q?qiRa", 24: "qa", 25: "q"}
FACTS_KNOWN, WIDTHS = 35, {"b": 1, "h": 2, "i": 4, "q": 8, "m": 10, "k": 16, "n": 16}


def fields(payload: io.BytesIO, layout: str) -> list:
    values = []
    for optional, group, letter in re.findall(r"(\??)(?:\((.*?)\)|(.))", layout):
        if optional and payload.read(1) == b"\0":
            values.append(None)
        elif letter == "t":
            values.append(payload.read(*fields(payload, "q")).decode())
        elif letter == "a":  # the card's money, then the account's units
            values.append(fields(payload, "mn")[1])
        elif group or letter == "R":
            values.append(fields(payload, group or REQUEST))
        else:
            values.append(int.from_bytes(payload.read(WIDTHS[letter]), "little", signed=letter == "n"))
    return values


class Books:
    """The accounts of one shard, and what each of its transactions holds."""
    def __init__(self) -> None:
        self.accounts, self.cards, self.holds, self.paid = [], [], {}, {}

    def book(self, card: int, ledger: int, held: int, outside: int) -> None:
        """Moves units. Those from `outside` come only for a JIT card: its balance service brings or takes them."""
        account, jit = self.cards[card]
        self.accounts[account]["ledger"] += ledger + (outside if jit else 0)
        self.accounts[account]["held"] += held

    def hold(self, number: int, card: int, units: int) -> None:
        self.book(card, 0, units, units)
        self.holds[number] = (card, self.holds.get(number, (card, 0))[1] + units)

    def apply(self, fact: tuple) -> None:
        match fact:
            case 0, _, name, asset:  # AccountOpened
                self.accounts.append({"account": name, "asset": asset, "ledger": 0, "held": 0})
            case 1, account, debit, units:  # Posted
                self.accounts[account]["ledger"] += -units if debit else units
            case 3, *_, account, _, _, funding:  # CardIssued
                self.cards.append((account, funding == 1))
            case 8, number, card, _, units:  # Approved
                self.hold(number, card, units)
            case 10, number, card:  # Asked: held only once it is approved
                self.holds[number] = (card, 0)
            case 11, number, units:  # AskApproved
                self.hold(number, self.holds[number][0], units)
            case 13 | 15 | 25, number:  # Reversed, HoldExpired, HoldReleased: what is still held is free
                self.hold(number, self.holds[number][0], -self.holds[number][1])
            case 19, _, of, card, _, units:  # HoldChanged: to a new total
                self.hold(of, card, units - self.holds[of][1])
            case 20, number, _, units:  # PartlyReversed
                self.hold(number, self.holds[number][0], -units)
            case 21, number, of, card, _, paid, from_hold, released, last:  # Cleared
                self.book(card, -paid, 0, paid - from_hold)
                self.paid[number] = card
                if held := self.holds.get(of, (card, 0))[1]:
                    self.book(card, 0, -from_hold - released, -released)
                    self.holds[of] = (card, 0 if last else held - from_hold - released)
            case 23, number, _, card, _, units:  # Refunded
                self.book(card, units, 0, -units)
                self.paid[number] = card
            case 22 | 24 as kind, number, units:  # ClearingReversed gives back, RefundReversed takes again
                units = units if kind == 22 else -units
                self.book(self.paid[number], units, 0, -units)


def main() -> None:
    directory, shards = Path(sys.argv[1]), {}
    for sequence, shard, _time, version, payload in read_journal(directory):
        kind, rest = int.from_bytes(payload[:4], "little"), io.BytesIO(payload[4:])
        check(version == 2 and kind < FACTS_KNOWN, directory, 0, f"record {sequence} is of another version")
        shards.setdefault(shard, Books()).apply((kind, *fields(rest, FACTS.get(kind, ""))))
    for account in (account for shard in sorted(shards) for account in shards[shard].accounts):
        print(json.dumps(account))


if __name__ == "__main__":
    main()
