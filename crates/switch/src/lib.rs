//! The daemon: processor links, translation, wiring, clock, metrics, shutdown.
