//! Times as RFC 3339 text in UTC.

use domain::Timestamp;

/// `2026-11-20T18:00:00Z`; `None` for the far end of time, which stands for "never".
pub(super) fn text(time: Timestamp) -> Option<String> {
    jiff::Timestamp::from_microsecond(time.micros()).ok().map(|time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_and_never_is_nothing() {
        assert_eq!(text(Timestamp::from_micros(1_500)).as_deref(), Some("1970-01-01T00:00:00.0015Z"));
        assert_eq!(text(Timestamp::MAX), None);
    }
}
