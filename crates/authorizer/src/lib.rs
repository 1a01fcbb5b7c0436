//! The decision core: one shard's state and what it answers to a command.
