//! How much the API takes on at once. Every bound is a setting; each has its written answer for "full".

use std::time::Duration;

/// The bounds of the control API.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ControlBounds {
    /// Bytes of one request body; a longer one is answered 413.
    pub body_bytes_max: usize,
    /// How long a client may take to send its body; a slower one is answered 408.
    pub body_within: Duration,
    /// Requests being worked on at the same time; one more is answered 503 with `Retry-After`.
    pub requests_in_flight_max: usize,
    /// Transactions in one page of a card's history; asking for more is answered 400.
    pub page_max: usize,
}

impl Default for ControlBounds {
    /// A card with full control lists takes about 12 KiB of JSON, so 64 KiB leaves room. Each request in flight
    /// is one command in a lane's queue, so their number stays far below a queue's length.
    fn default() -> Self {
        Self {
            body_bytes_max: 64 * 1024,
            body_within: Duration::from_secs(10),
            requests_in_flight_max: 512,
            page_max: 200,
        }
    }
}
