//! Axes: which values a chart spans, and where on it a value lies.

use super::number;
use std::time::Duration;

/// A logarithmic axis of durations, over whole decades of microseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LogAxis {
    /// Exponents of ten, in microseconds.
    pub(crate) first: i32,
    pub(crate) last: i32,
}

impl LogAxis {
    /// The decades that hold all of `durations`, at least one.
    pub(crate) fn around(durations: impl Iterator<Item = Duration>) -> Self {
        let exponents: Vec<f64> = durations.map(exponent).collect();
        let low = exponents.iter().copied().fold(f64::INFINITY, f64::min);
        let high = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if exponents.is_empty() {
            return Self { first: 1, last: 4 };
        }
        let first = low.floor() as i32;
        Self { first, last: (high.ceil() as i32).max(first + 1) }
    }

    /// Where a duration lies, from 0 at the low end to 1 at the high end.
    pub(crate) fn place(&self, duration: Duration) -> f64 {
        let span = f64::from(self.last - self.first);
        ((exponent(duration) - f64::from(self.first)) / span).clamp(0.0, 1.0)
    }

    /// Each decade: where it lies, and its label.
    pub(crate) fn decades(&self) -> impl Iterator<Item = (f64, String)> + use<> {
        let (first, span) = (self.first, f64::from(self.last - self.first));
        (self.first..=self.last)
            .map(move |exponent| (f64::from(exponent - first) / span, number::decade(exponent)))
    }
}

/// The power of ten of microseconds; nothing is quicker than one.
fn exponent(duration: Duration) -> f64 {
    (duration.as_nanos() as f64 / 1_000.0).max(1.0).log10()
}

/// The smallest round number that is not below `value`: the top of a linear axis, whose quarters are round too.
pub(crate) fn round_above(value: f64) -> f64 {
    const STEPS: [f64; 10] = [1.0, 1.2, 1.6, 2.0, 2.4, 3.0, 4.0, 6.0, 8.0, 10.0];
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    STEPS.into_iter().map(|step| step * power).find(|top| *top >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_spans_whole_decades_around_its_values() {
        let axis = LogAxis::around([120, 45_000].into_iter().map(Duration::from_micros));
        assert_eq!(axis, LogAxis { first: 2, last: 5 });
        let labels: Vec<String> = axis.decades().map(|(_, label)| label).collect();
        assert_eq!(labels, ["100 µs", "1 ms", "10 ms", "100 ms"]);
        assert!((axis.place(Duration::from_millis(1)) - 1.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn an_axis_of_one_value_or_none_still_has_a_length() {
        assert_eq!(LogAxis::around([Duration::from_micros(100)].into_iter()), LogAxis { first: 2, last: 3 });
        assert_eq!(LogAxis::around([Duration::ZERO].into_iter()), LogAxis { first: 0, last: 1 });
        assert!(LogAxis::around(std::iter::empty()).place(Duration::ZERO) >= 0.0);
    }

    #[test]
    fn tops_are_round() {
        for (value, top) in [(0.0, 1.0), (3.0, 3.0), (5.0, 6.0), (6_001.0, 8_000.0), (120_000.0, 120_000.0)] {
            assert!((round_above(value) - top).abs() < 1e-6, "{value}");
        }
    }
}
