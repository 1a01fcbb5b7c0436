//! The simulated world, the naive reference model, scenarios and invariants.
