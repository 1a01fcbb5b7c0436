#!/usr/bin/env python3
"""Builds the journal with one bug planted at a time, and fails unless the crash tests catch every one.

    python3 crates/journal/tests/planted_bugs.py            # all of them
    python3 crates/journal/tests/planted_bugs.py --short    # one of each kind that a journal must not have (CI)
    python3 crates/journal/tests/planted_bugs.py chain      # those whose name contains a word

Each bug is a text to find in a source file and a text to put in its place. The work happens in copies, one for each
processor; the sources are not touched. A bug whose text is no longer found fails too: then the list needs mending.
PLANTED_BUGS_TARGET names a folder to build in, so that a second run is quick.
"""

import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

# The journal, and what shows that a shard comes back from a snapshot as it was.
CRATES = ["authorizer", "domain", "journal", "testkit"]

# What `--short` plants, by name: each of these has been somebody's outage.
SHORT = [
    "no fdatasync", "acknowledge before the sync", "no directory sync after a segment gets its name",
    "record checksum ignored", "truncation in the middle: the mark is not asked", "fsync tried again", "replay twice",
    "snapshot off by one", "repeat window lost", "chain not checked", "tail cut too far", "write error swallowed",
]

# (name, file under the journal's src/ or under crates/, find, replace)
BUGS = [
    ("no fdatasync", "log.rs",
     'self.active.file.sync().map_err(|source| self.io("sync a segment", source))?;', ""),
    ("acknowledge before the sync", "writer.rs", "Acknowledge::Disk => true,", "Acknowledge::Disk => false,"),
    ("no directory sync after a segment gets its name", "spare.rs",
     "storage.rename(&self.name, &name).map_err(io)?;\n        storage.sync_directory().map_err(io)?;",
     "storage.rename(&self.name, &name).map_err(io)?;"),
    ("no directory sync when recovering", "recovery.rs",
     "    storage\n        .sync_directory()", "    Ok(())"),
    ("no directory sync before a recycled segment is emptied", "spare.rs",
     "            storage.sync_directory()?;\n            let file = storage.open(&making)?;",
     "            let file = storage.open(&making)?;"),
    ("record checksum ignored", "record.rs", "if computed != header.checksum {", "if false {"),
    ("batch header checksum ignored", "batch.rs", "if found != computed {", "if false {"),
    ("batch offset ignored", "batch.rs", "if header.offset != offset {", "if false {"),
    ("mark checksum ignored", "mark.rs", "&& whole).then_some", ").then_some"),
    ("chain not checked", "batch.rs", "if Chain::from(hash.finalize()) == self.chain {",
     "if Chain::from(hash.finalize()) == self.chain || true {"),
    ("seed of the segment not used", "record.rs", "crc32c::crc32c_append(seed, ", "crc32c::crc32c_append(seed & 0, "),
    ("truncation in the middle: the mark is not asked", "tail.rs", "if mark.synced >= next {", "if false {"),
    ("truncation in the middle: later batches are not asked", "tail.rs",
     "later.filter(|(_, synced_through)| *synced_through >= next)", "later.filter(|_| false)"),
    ("truncation in the middle: later segments are not asked", "scan.rs",
     "if header.first_sequence != self.found.next_sequence || header.chain != self.found.chain {",
     "if false {"),
    ("tail cut too far", "recovery.rs", "fill_with_zeros(&mut *file, last.next_batch_at,",
     "fill_with_zeros(&mut *file, last.next_batch_at - 512,"),
    ("tail not cut", "recovery.rs",
     "fill_with_zeros(&mut *file, last.next_batch_at, last.end_of_content()).map_err(io)?;", ""),
    ("the unsynced part is not written again", "recovery.rs",
     "file.write_all_at(bytes, from as u64).map_err(io)?;", "let _ = (bytes, from);"),
    ("fsync tried again", "log.rs", "self.active.file.sync().map_err",
     "self.active.file.sync().or_else(|_| self.active.file.sync()).map_err"),
    ("write error swallowed", "log.rs", '.map_err(|source| self.io("write a batch", source))?;',
     '.map_err(|source| self.io("write a batch", source)).ok();'),
    ("short write not continued", "storage.rs", "Ok(written) => done += written,",
     "Ok(_) => done = bytes.len(),"),
    ("replay twice", "scan.rs", "        on_record(recovered).map_err(",
     "        let _ = on_record(recovered);\n        on_record(recovered).map_err("),
    ("replay one record too few after a snapshot", "scan.rs", "if sequence <= self.after {",
     "if sequence <= self.after + u64::from(self.after > 0) {"),
    ("mark written before the sync it speaks of", "log.rs", "synced: self.synced,\n            acknowledged,",
     "synced: self.next_sequence + 3,\n            acknowledged,"),
    ("mark file not synced before its other slot is written", "mark.rs",
     "        file.sync().map_err(io)?;\n        let mut first", "        let mut first"),
    ("old segment not synced when it is left", "log.rs", "if self.synced < self.written() {", "if false {"),
    ("a segment goes one record too early", "retention.rs",
     "if behind.first_sequence > retired.saturating_add(1) {",
     "if behind.first_sequence > retired.saturating_add(2) {"),
    ("snapshot named before it is synced", "snapshot/write.rs",
     "        self.flush()?;\n        self.sync()?;", "        self.flush()?;"),
    ("snapshot not read back", "snapshot/write.rs", "while !self.verify_on()? {}", "let _ = &mut self;"),
    ("snapshot off by one", "snapshot/write.rs", ".map(|header| header.through)",
     ".map(|header| header.through + 1)"),
    ("snapshot digest ignored", "snapshot/read.rs", "reader.array::<TRAILER_BYTES>()? != expected",
     "reader.array::<TRAILER_BYTES>()?.len() != expected.len()"),
    ("nonces begin anew at each start", "seal.rs", "        random().map(Self)\n", "        Ok(Self([7; 8]))\n"),
    ("seal not checked", "seal.rs", "    opened.map_err(|_| SealError::DoesNotOpen)?;\n", "    let _ = opened;\n"),
    ("old key used after a rotation", "log.rs", "self.active.header.key_id != self.keys.newest()", "false"),
    ("slices sealed under one nonce", "snapshot/mod.rs", "nonce[..8].copy_from_slice(&number.to_le_bytes());",
     "let _ = number;"),
    ("repeat window lost", "crates/authorizer/src/snapshot.rs", "shard.store.finish(number, at);",
     "let _ = at; shard.store.finish(number, Timestamp::default());"),
]


def copy_workspace(to: Path) -> None:
    """A workspace of the journal and of what tests its snapshots of shards, under the root's own settings."""
    manifest = (ROOT / "Cargo.toml").read_text()
    members = ", ".join(f'"crates/{name}"' for name in CRATES)
    manifest = re.sub(r"members = \[.*?\]", f"members = [{members}]", manifest, flags=re.S, count=1)
    manifest = re.sub(r"default-members = \[.*?\]\n", "", manifest)
    (to / "Cargo.toml").write_text(manifest)
    shutil.copy(ROOT / "Cargo.lock", to / "Cargo.lock")
    # Copied without their times: cargo must not take what an earlier run has built for what is here.
    for name in CRATES:
        shutil.copytree(ROOT / "crates" / name, to / "crates" / name, copy_function=shutil.copy)


# What must notice: the package, the kind of target, and in which order its tests run; the quick ones first.
SUITES = {
    "journal": (["-p", "journal", "--lib"], [["--skip", "schedules"], ["schedules"]]),
    "shards": (["-p", "testkit", "--test", "histories"], [[]]),
}


def environment(workspace: Path) -> dict:
    # No debug information: half the time to build. A planted bug shows itself early in a long run of seeds.
    return dict(os.environ, CARGO_TARGET_DIR=str(workspace / "target"), RUST_BACKTRACE="0",
                CARGO_PROFILE_DEV_DEBUG="0", JOURNAL_SCHEDULES=os.environ.get("JOURNAL_SCHEDULES", "3000"),
                AUTHSWITCH_HISTORIES=os.environ.get("AUTHSWITCH_HISTORIES", "300"))


def build(workspace: Path, suite: str) -> str:
    """Builds a suite's tests; where its executable is. Building takes what it takes."""
    command = ["cargo", "test", "-q", *SUITES[suite][0], "--no-run", "--message-format=json"]
    built = subprocess.run(command, cwd=workspace, env=environment(workspace), capture_output=True, text=True)
    if built.returncode != 0:
        messages = [json.loads(line).get("message", {}) for line in built.stdout.splitlines() if line.startswith("{")]
        said = "".join(message.get("rendered") or "" for message in messages if message.get("level") == "error")
        raise NotBuilt(said or built.stderr)
    artifacts = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    return [artifact["executable"] for artifact in artifacts if artifact.get("executable")][-1]


class NotBuilt(Exception):
    """The compiler refuses it."""


def first_red_test(workspace: Path, suite: str) -> str | None:
    """Runs the tests that must notice until one of them does; its name, and None when all pass."""
    package = workspace / "crates" / SUITES[suite][0][1]
    executable = build(workspace, suite)
    for select in SUITES[suite][1]:
        tests = subprocess.Popen([executable, *select], cwd=package, env=environment(workspace), text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        # A journal that hangs is caught as well.
        hangs = threading.Timer(600, tests.kill)
        hangs.start()
        red = next((name for line in tests.stdout for name in re.findall(r"^test (\S+) .*\.\.\. FAILED", line)), None)
        hangs.cancel()
        if red is not None:
            tests.kill()
        tests.stdout.close()
        if tests.wait() != 0:
            return red or "timeout, or the end of the process"
    return None


def without_a_bug(workspace: Path, suites: list[str], short: bool) -> None:
    """Builds everything once, for all workers to copy. That all tests pass without a bug is known to CI already."""
    for suite in suites:
        red = build(workspace, suite) and None if short else first_red_test(workspace, suite)
        if red:
            raise NotBuilt(red)


def suite_of(bug: tuple) -> str:
    return "shards" if bug[1].startswith("crates/") else "journal"


def try_bug(workspace: Path, bug: tuple) -> tuple[bool, str]:
    """Whether the tests notice one bug, and what to say about it."""
    name, file, find, replace = bug
    inside = file if file.startswith("crates/") else f"crates/journal/src/{file}"
    path = workspace / inside
    good = path.read_text()
    if find not in good:
        return False, f"STALE   {name}: its text is no longer in {file}"
    path.write_text(good.replace(find, replace))
    try:
        red = first_red_test(workspace, suite_of(bug))
    except NotBuilt as error:
        return False, f"BROKEN  {name}: does not compile\n{error}"
    finally:
        path.write_text(good)
    return red is not None, f"caught  {name}: {red}" if red else f"MISSED  {name}"


def main() -> int:
    words = [word for word in sys.argv[1:] if word != "--short"]
    short = "--short" in sys.argv
    wanted = [bug for bug in BUGS if all(word in bug[0] for word in words) and (not short or bug[0] in SHORT)]
    waiting, verdicts = queue.Queue(), []
    for bug in wanted:
        waiting.put(bug)
    with tempfile.TemporaryDirectory() as made:
        root = Path(os.environ.get("PLANTED_BUGS_TARGET", made)).resolve()
        workspaces = [root / f"worker-{number}" for number in range(os.cpu_count() or 1)]
        for workspace in workspaces:
            shutil.rmtree(workspace / "crates", ignore_errors=True)
            workspace.mkdir(parents=True, exist_ok=True)
            copy_workspace(workspace)
        try:
            without_a_bug(workspaces[0], sorted({suite_of(bug) for bug in wanted}), short)
        except NotBuilt as error:
            print(error, "the tests cannot be built, or fail, without any bug", sep="\n")
            return 1
        for other in workspaces[1:]:
            if not (other / "target").exists():
                shutil.copytree(workspaces[0] / "target", other / "target", copy_function=shutil.copy2)

        def work(workspace: Path) -> None:
            while True:
                try:
                    bug = waiting.get_nowait()
                except queue.Empty:
                    return
                caught, said = try_bug(workspace, bug)
                print(said, flush=True)
                verdicts.append(caught)

        workers = [threading.Thread(target=work, args=(workspace,)) for workspace in workspaces]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    caught = sum(verdicts)
    print(f"{caught} of {len(wanted)} planted bugs caught")
    return 0 if caught == len(wanted) == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
