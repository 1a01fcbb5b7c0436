//! The processor simulator, the balance-service simulator, and their books.

pub mod balance_service;
pub mod processor;
pub mod report;
