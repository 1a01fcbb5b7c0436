//! The lock-free in-memory balance and limit cache: lanes that own shards.
