//! The processor simulator, the balance-service simulator, and their books.
//!
//! Both stand outside of the switch and know nothing of its insides: [`processor`] speaks ISO 8583 to it and
//! [`balance_service`] answers its HTTP calls. Each keeps its own books from what it sees, so that equal books
//! at the end of a run say something. [`report`] puts them beside one another, with latencies and declines.

pub mod balance_service;
pub mod processor;
pub mod report;
