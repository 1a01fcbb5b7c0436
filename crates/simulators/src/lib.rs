//! The processor simulator, the balance-service simulator, and their books.
