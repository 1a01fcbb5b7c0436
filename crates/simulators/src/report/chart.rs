//! The charts of the HTML report: percentile curves, the run over time, declines.

use super::axis::{LogAxis, round_above};
use super::number::{count, duration};
use super::svg::{Anchor, Svg};
use super::{DeclineCount, PathLatency};
use crate::processor::Second;
use std::time::Duration;

/// The sheet is this wide; the page scales it.
const WIDTH: f64 = 960.0;
/// Room on the left for labels of the axis, and on the right for names of lines.
const LEFT: f64 = 72.0;
const RIGHT: f64 = 110.0;

/// A rectangle to draw in, and where values lie in it.
#[derive(Clone, Copy)]
struct Plot {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Plot {
    const fn between(top: f64, bottom: f64) -> Self {
        Self { left: LEFT, right: WIDTH - RIGHT, top, bottom }
    }

    /// `place` from 0 at the left to 1 at the right.
    fn x(&self, place: f64) -> f64 {
        self.left + (self.right - self.left) * place
    }

    /// `place` from 0 at the bottom to 1 at the top.
    fn y(&self, place: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * place
    }

    fn latency_grid(&self, svg: &mut Svg, axis: &LogAxis) {
        for (place, label) in axis.decades() {
            let y = self.y(place);
            svg.line("grid", (self.left, y), (self.right, y));
            svg.text("tick", (self.left - 8.0, y + 4.0), Anchor::End, &label);
        }
    }
}

/// Where the percentile axis begins: at the median, 1 - 10^-0.301.
const MEDIAN: f64 = std::f64::consts::LOG10_2;

/// Latency by percentile from the median on: one curve a path, both axes stretched towards the slow end.
pub(crate) fn percentiles(paths: &[PathLatency]) -> String {
    let mut svg = Svg::new(WIDTH, 420.0);
    let plot = Plot::between(16.0, 372.0);
    let slow_half = |path: &PathLatency| -> Vec<(f64, Duration)> {
        let median = std::iter::once((MEDIAN, path.p50));
        median.chain(path.curve.iter().copied().filter(|(nines, _)| *nines > MEDIAN)).collect()
    };
    let curves: Vec<Vec<(f64, Duration)>> = paths.iter().map(slow_half).collect();
    let axis = LogAxis::around(curves.iter().flatten().map(|(_, latency)| *latency));
    plot.latency_grid(&mut svg, &axis);
    let nines = curves.iter().flatten().map(|(nines, _)| *nines).fold(2.0, f64::max);
    let x = |at: f64| plot.x((at - MEDIAN) / (nines - MEDIAN));
    svg.text("tick", (x(MEDIAN), plot.bottom + 20.0), Anchor::Middle, "50%");
    for whole in 1..=nines.floor() as u32 {
        let x = x(f64::from(whole));
        svg.line("grid", (x, plot.top), (x, plot.bottom));
        svg.text("tick", (x, plot.bottom + 20.0), Anchor::Middle, &percentile(whole));
    }
    svg.text("axis", (plot.x(0.5), plot.bottom + 40.0), Anchor::Middle, "percentile of answers");
    let mut labels = Vec::new();
    for (number, (path, curve)) in (1..).zip(paths.iter().zip(&curves)) {
        let point = |(at, latency): &(f64, Duration)| (x(*at), plot.y(axis.place(*latency)));
        let points: Vec<(f64, f64)> = curve.iter().map(point).collect();
        let title = format!("{}: p50 {}, p99 {}", path.name, duration(path.p50), duration(path.p99));
        svg.polyline(&format!("curve s{number}"), &points, &title);
        if let Some((x, y)) = points.last() {
            svg.bar(&format!("dot s{number}"), (x - 3.0, y - 3.0), (6.0, 6.0), &title);
            labels.push((*x, *y, number, path.name.as_str()));
        }
    }
    name_curves(&mut svg, labels);
    svg.finish("Latency by percentile for each path")
}

/// Names at the ends of curves, moved down where they would cover one another.
fn name_curves(svg: &mut Svg, mut labels: Vec<(f64, f64, usize, &str)>) {
    const HIGH: f64 = 15.0;
    const WIDE: f64 = 80.0;
    labels.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut placed: Vec<(f64, f64)> = Vec::new();
    for (x, end, number, name) in labels {
        let mut y = end;
        while placed.iter().any(|(other_x, other_y)| (other_x - x).abs() < WIDE && (other_y - y).abs() < HIGH)
        {
            y += 1.0;
        }
        placed.push((x, y));
        svg.text(&format!("name t{number}"), (x + 9.0, y + 4.0), Anchor::Start, name);
    }
}

fn percentile(nines: u32) -> String {
    match nines {
        0 => "0%".to_owned(),
        1 => "90%".to_owned(),
        2 => "99%".to_owned(),
        more => format!("99.{}%", "9".repeat(more as usize - 2)),
    }
}

/// Answers a second, and below it their latency, over the run.
pub(crate) fn timeline(timeline: &[Second]) -> String {
    let mut svg = Svg::new(WIDTH, 400.0);
    let (upper, lower) = (Plot::between(16.0, 170.0), Plot::between(206.0, 360.0));
    let last = timeline.len().saturating_sub(1).max(1) as f64;
    let x = |second: usize| upper.x(second as f64 / last);
    let most = timeline.iter().map(|second| second.answered as f64).fold(1.0, f64::max);
    let top = round_above(most);
    for step in 0..=4 {
        let place = f64::from(step) / 4.0;
        svg.line("grid", (upper.left, upper.y(place)), (upper.right, upper.y(place)));
        let label = count((top * place).round() as u64);
        svg.text("tick", (upper.left - 8.0, upper.y(place) + 4.0), Anchor::End, &label);
    }
    let rates: Vec<(f64, f64)> =
        (0..).zip(timeline).map(|(at, second)| (x(at), upper.y(second.answered as f64 / top))).collect();
    svg.area("fill s1", &rates, upper.bottom);
    svg.polyline("curve s1", &rates, "answers a second");
    if let Some((x, y)) = rates.last() {
        svg.text("name t1", (x + 9.0, y + 4.0), Anchor::Start, "answers/s");
    }
    let axis = LogAxis::around(timeline.iter().flat_map(|second| [second.p50, second.p99, second.max]));
    lower.latency_grid(&mut svg, &axis);
    let mut labels = Vec::new();
    type Of = fn(&Second) -> Duration;
    let lines: [(usize, &str, Of); 3] =
        [(3, "p50", |second| second.p50), (2, "p99", |second| second.p99), (6, "max", |second| second.max)];
    for (number, name, of) in lines {
        let point = |(at, second): (usize, &Second)| (x(at), lower.y(axis.place(of(second))));
        let points: Vec<(f64, f64)> = (0..).zip(timeline).map(point).collect();
        svg.polyline(&format!("curve s{number}"), &points, name);
        labels.extend(points.last().map(|(x, y)| (*x, *y, number, name)));
    }
    name_curves(&mut svg, labels);
    let every = (timeline.len() / 10).max(1);
    for second in (0..timeline.len()).step_by(every) {
        svg.text("tick", (x(second), lower.bottom + 20.0), Anchor::Middle, &format!("{second} s"));
    }
    svg.finish("Answers a second and their latency over the run")
}

/// Declines by reason, a bar each.
pub(crate) fn declines(declines: &[DeclineCount]) -> String {
    const ROW: f64 = 26.0;
    const NAMES: f64 = 250.0;
    let mut svg = Svg::new(WIDTH, ROW * declines.len() as f64 + 8.0);
    let most = declines.iter().map(|decline| decline.count).max().unwrap_or(0).max(1) as f64;
    for (row, decline) in (0_u32..).zip(declines) {
        let y = ROW * f64::from(row) + 4.0;
        let length = ((WIDTH - NAMES - 130.0) * decline.count as f64 / most).max(2.0);
        let shown = count(decline.count);
        svg.text("label", (NAMES - 62.0, y + 16.0), Anchor::End, &decline.reason);
        svg.text("tick", (NAMES - 12.0, y + 16.0), Anchor::End, &decline.response_codes);
        let title = format!("{}: {shown}", decline.reason);
        svg.bar("decline", (NAMES, y + 3.0), (length, ROW - 9.0), &title);
        svg.text("label", (NAMES + length + 8.0, y + 16.0), Anchor::Start, &shown);
    }
    svg.finish("Declines by reason")
}
