//! Just-in-Time funding: asking the balance service within a deadline, and the duties that follow.
