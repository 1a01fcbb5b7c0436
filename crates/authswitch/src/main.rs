//! A low-latency card authorization switch.
fn main() {}
