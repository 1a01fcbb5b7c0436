//! What can go wrong, what the journal promises then, and the test that shows it. This module holds only the table.
//!
//! Tests named without a file are in `src/crash_tests/`. *schedules* stands for
//! `ten_thousand_schedules_lose_nothing_that_was_promised`, which mixes everything marked so, by seed.
//! `tests/planted_bugs.py` breaks the code in thirty-five ways and fails unless the tests notice each one; CI plants one of
//! each kind. Tests that begin with `authswitch/` run the real binary, those that begin with `switch/` the whole switch
//! in the test's process; `authswitch torture` runs kills and damage on the user's own disk. Rows without a test say so.
//!
//! | fault | promise | shown by |
//! |---|---|---|
//! | power cut at any write, sync, rename, remove, allocate | everything synced is there; what follows is a prefix of what was handed over | *schedules* |
//! | unsynced writes lost, kept in part, or kept in another order; torn at 512 B or 4 KiB | same | *schedules* |
//! | names created, renamed or removed but not synced are lost or kept | same | *schedules*, `a_directory_sync_that_does_nothing_is_noticed` |
//! | process killed at any operation | mode `disk` and `os`: everything acknowledged is there | *schedules*, `authswitch/tests/cli/kill.rs` |
//! | power cut on ext4 | everything answered is there | `authswitch/tests/cli/power_cut.rs`, where root and loop devices are to be had |
//! | power cut inside the recovery, any number of times | same as outside; recovering twice equals recovering once | *schedules* |
//! | short write | continued | *schedules* |
//! | write error (EIO) | nothing more is released or written; the failure is published and ends the process with exit code 4; after a restart as after a kill | *schedules*, `switch/tests/end_to_end/disk.rs`, `authswitch/tests/cli/disk.rs` |
//! | sync error (EIO), page then clean and lost | same; the sync is never tried again; the restart writes the unsynced part again | *schedules*, `switch/tests/end_to_end/disk.rs`, `after_a_failed_sync_nothing_is_released_and_nothing_is_synced_again`, `what_a_restart_shows_after_a_failed_sync_survives_the_next_power_cut` |
//! | torn tail, never acknowledged | cut, reported with offset and bytes | `a_rotted_tail_is_refused_and_a_torn_one_is_cut` |
//! | power cut in mode `os` or `memory` takes what was acknowledged and not synced | allowed by the mode, within its bounds; reported by sequence | `what_mode_os_acknowledged_and_a_power_cut_took_is_told` |
//! | last batch rotted after its sync, mark exact | refused | `a_rotted_tail_is_refused_and_a_torn_one_is_cut` |
//! | last batch rotted after its sync **and** the power cut before the mark was synced (`mark_sync_every`) | **cut as a torn tail, reported**: nothing on the disk tells them apart. Only a second sync for each batch, of the mark, would; under traffic the next batch is witness within milliseconds | no test: not promised |
//! | damage before a later batch, mark old | refused: the later batch knows what was synced | `damage_before_a_later_batch_is_refused_even_without_a_newer_mark` |
//! | damage in an earlier segment | refused with file, offset, sequences | `damage_in_an_earlier_segment_names_the_file_the_offset_and_the_sequences` |
//! | one flipped bit anywhere | refused, or no fact is touched by it | `a_flipped_bit_is_refused_or_harmless` |
//! | misdirected write | refused or harmless | `a_misdirected_write_is_refused_or_harmless` |
//! | write acknowledged by the disk and never stored (stale read) | refused or harmless | `a_write_that_the_disk_never_stored_is_refused_or_harmless` |
//! | a disk whose flush lies about everything | **cannot be promised**; the schedules show that it is not survived | `a_file_sync_that_does_nothing_is_noticed` |
//! | segment or mark file missing, truncated, renamed, swapped, of another journal | refused by name | `missing_files_are_named` and its neighbours |
//! | segment of a later format version | refused without touching it | `a_segment_of_a_later_version_is_left_to_a_later_build` |
//! | directory of another node, or in use | refused | `tests/writer_thread.rs` |
//! | disk full | approvals stop early ([`crate::Space::Low`]) while follow-ups fit; readiness and metrics say so; what was written stays; goes on by itself | *schedules*, `a_full_disk_stops_the_writer_and_lets_it_go_on_when_space_returns`, `switch/tests/end_to_end/disk.rs`, `authswitch/tests/cli/disk.rs` (a real one, as root) |
//! | disk full with the log on it | lines of the log are lost, and nothing else | `authswitch/tests/cli/disk.rs` |
//! | more at risk in mode `os` or `memory` than the settings allow | the batch waits, and a sync comes early | `tests/writer_thread.rs`, `switch/tests/end_to_end/disk.rs` |
//! | disk full, old segments retired | recycled in place: needs no new space | `a_recycled_segment_serves_again_on_a_full_disk_and_shows_nothing_of_its_former_life` |
//! | crash while a segment is recycled or removed | no gap, no emptied segment | *schedules* |
//! | crash or rot while or after a snapshot is written | the generation before is used; rot is reported | `src/snapshot/tests.rs` |
//! | snapshots that rot again and again | set aside under another name, the newest few of them kept | `src/snapshot/aside.rs` |
//! | a last snapshot that comes to no end | given up after a configured time; the next start replays | `switch/tests/end_to_end/disk.rs`, `crates/switch/src/snapshots/crash_tests.rs` |
//! | stopped in the middle of a start | ends at once, and the next start finds what this one found | `authswitch/tests/cli/disk.rs` |
//! | power cut while snapshots are made of a live journal, segments retired, and the state read back | every acknowledged fact is in the state, twice the same | `crates/switch/src/snapshots/crash_tests.rs` |
//! | no snapshot is whole and the first segments are gone | refused, naming the sequences at risk | `crates/switch/src/snapshots/crash_tests.rs` |
//! | damage that an operator accepts by naming its first sequence | [`crate::repair`] keeps everything before it, puts everything behind it aside, destroys nothing | `repair.rs` |
//! | crash in the middle of a repair | the same order finishes it | `a_repair_that_is_cut_short_is_finished_by_the_same_order` |
//! | any bytes in the directory | no panic, no fact that was never written | `fuzz/fuzz_targets/recovery.rs` |
//! | read error (EIO) while recovering | refused by name; nothing is changed for it | `a_read_error_in_the_recovery_is_refused_and_harms_nothing` |
//! | a read that brings old bytes, or those of another place, while recovering | refused or harmless, and the next start finds everything | `a_stale_read_in_the_recovery_is_refused_or_harmless`, `a_misdirected_read_in_the_recovery_is_refused_or_harmless` |
//! | the disk or a backup is stolen | with sealing keys, no payload can be read | `sealed.rs` |
//! | sealing key missing or another | refused by the id of the key | `without_its_key_it_is_refused_by_the_keys_id` |
//! | an old sealing key about to be thrown away | each start says which are still needed, by how many files | `a_rotation_continues_in_a_new_segment_and_reads_what_was_before`; that it is logged: `crates/switch/src/sealing.rs` |
//! | sealed record moved or edited, its checksum made right | does not open | `a_payload_moved_under_a_right_checksum_does_not_open` |
//! | backup taken while segments are written, retired and recycled | consistent up to a durable record, verified, or no backup | `tests/backup.rs` |
//! | restore to a record or to a moment | exactly the records up to it | `tests/backup.rs`, `authswitch/tests/cli/journal.rs` |
//! | backup changed or not finished | not restored | `a_backup_that_was_changed_or_not_finished_is_not_restored` |
//! | power cut while a restore or a backup is written | no manifest, or an unfinished journal that the next restore refuses to write into | no test |
//! | read by a later build | every version that was ever written is read: segments, payloads, rows of snapshots | `tests/golden.rs`, `crates/testkit/tests/version_1.rs`, `crates/testkit/tests/version_2.rs`, `crates/switch/src/snapshots/golden_tests.rs` |
//! | a network file system that breaks `flock` or fsync | nothing | no test: not supported |
//! | two bit flips that together keep a CRC-32C right | the SHA-256 chain still refuses | no test |
