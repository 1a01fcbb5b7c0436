//! The write-behind journal: records, segments, group commit and recovery.
