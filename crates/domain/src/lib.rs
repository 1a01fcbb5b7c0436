//! The shared words: money, cards, accounts, limits, holds, reasons, facts.
