#!/usr/bin/env python3
"""Reads a journal directory by the drawn format alone, without a line of the journal's code.

    python3 crates/journal/tests/read_journal.py DIRECTORY     # JSON lines, then a summary on standard error

It checks every header, checksum, sequence number and chain value, and stops with a message at the first that is
wrong. It exists so that the format's drawing (src/segment.rs, src/batch.rs, src/record.rs) is known to be complete:
a test runs it over the golden journal and compares.
"""

import hashlib
import json
import struct
import sys
from pathlib import Path

TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    TABLE.append(byte)


def crc32c(data: bytes, start: int = 0) -> int:
    crc = start ^ 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def check(condition: bool, path: Path, offset: int, what: str) -> None:
    if not condition:
        sys.exit(f"{path} offset {offset}: {what}")


def read_mark(path: Path) -> dict:
    """The newer whole slot of the mark file."""
    data, marks = path.read_bytes(), []
    for slot in (data[:64], data[4096:4160]):
        magic, version, clean, _, node, counter, synced, acknowledged, segment, offset, _, checksum = struct.unpack(
            "<8sHBBIQQQQQII", slot)
        if magic == b"ASWMARK\n" and version == 1 and checksum == crc32c(slot[:60]):
            marks.append(dict(node=node, clean=clean == 1, counter=counter, synced=synced,
                              acknowledged=acknowledged, segment=segment, offset=offset))
    check(bool(marks), path, 0, "no whole mark")
    return max(marks, key=lambda mark: mark["counter"])


def read_batch(data: bytes, at: int, seed: int, chain: bytes, following: int, path: Path):
    """The records of the batch at an offset, and the chain behind it; None where no batch starts."""
    if data[at:at + 4] != b"BTCH":
        return None
    checksum, length, count, first, _synced, offset, key, _nonce = struct.unpack("<IIIQQQI12s", data[at + 4:at + 56])
    check(checksum == crc32c(data[at + 8:at + 64], seed), path, at, "batch header checksum")
    check(offset == at and first == following and key == 0, path, at, "batch does not belong here")
    end, where, records = at + length - 48, at + 64, []
    while where < end:
        checksum, size, sequence, micros, epoch, shard, kind, flags, version = struct.unpack(
            "<IIQqIHBBH", data[where:where + 34])
        check(checksum == crc32c(data[where + 4:where + 40 + size], seed), path, where, "record checksum")
        check(sequence == first + len(records), path, where, "record sequence")
        check((epoch, kind, flags) == (0, 1, 0), path, where, "record of a later version")
        payload = data[where + 40:where + 40 + size].hex()
        records.append(dict(sequence=sequence, shard=shard, time=micros, version=version, payload=payload))
        where += (40 + size + 7) // 8 * 8
    check(where == end and len(records) == count, path, where, "batch length")
    magic, checksum, last, chain_after = struct.unpack("<4sIQ32s", data[end:end + 48])
    check(magic == b"TRLR" and checksum == crc32c(data[end + 8:end + 48], seed), path, end, "batch trailer")
    check(last == first + count - 1, path, end, "last sequence")
    check(chain_after == hashlib.sha256(chain + data[at:end]).digest(), path, end, "chain")
    return records, chain_after, at + length


def read_journal(directory: Path):
    """Yields every record; the generator's value is the number of segments and the last chain value."""
    chain, following, number = bytes(32), 1, 0
    for path in sorted(directory.glob("segment-*.journal")):
        data = path.read_bytes()
        magic, version, size, _node, found, first, length, block, _epoch, _time, before = struct.unpack(
            "<8sHHIQQQIIq32s", data[:88])
        seed, number = crc32c(data[:124]), number + 1
        check(number > 1 or found == 1, path, 0, f"the journal begins with record {first}, not with its first one")
        check(magic == b"ASWJRNL\n" and version == 1 and size == 128, path, 0, "not a segment of version 1")
        check(struct.unpack("<I", data[124:128])[0] == seed, path, 124, "header checksum")
        check((found, first, length, before) == (number, following, len(data), chain), path, 0, "not the next segment")
        at = block
        while (batch := read_batch(data, at, seed, chain, following, path)) is not None:
            records, chain, end = batch
            yield from records
            following += len(records)
            at = (end + block - 1) // block * block
    return number, chain


def main() -> None:
    directory, last = Path(sys.argv[1]), 0
    journal = read_journal(directory)
    while True:
        try:
            record = next(journal)
        except StopIteration as end:
            segments, chain = end.value
            break
        last = record["sequence"]
        print(json.dumps(record))
    mark = read_mark(directory / "mark.journal")
    check(mark["synced"] <= last, directory, 0, f"the mark says {mark['synced']} were synced, {last} are there")
    print(f"{segments} segments, {last} records, chain {chain.hex()}", file=sys.stderr)


if __name__ == "__main__":
    main()
