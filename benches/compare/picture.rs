//! The ratios as a picture: one bar a system, two panels, readable on light and on dark.

use crate::table::{Reference, Row, thousands};
use anyhow::Result;
use benches::histogram::ratio;
use std::fmt::Write as _;

const WIDTH: u64 = 860;
const BAR: u64 = 22;
const STEP: u64 = 30;
/// Where bars begin and how long the longest is.
const LEFT: u64 = 380;
const LONGEST: u64 = 330;
const TOP: u64 = 44;

const STYLE: &str = "<style>
text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600; font-size: 15px }
.bar { fill: #8c959f } .own { fill: #1a7f37 } .value { font-variant-numeric: tabular-nums }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .bar { fill: #6e7681 } .own { fill: #3fb950 } }
</style>";

struct Bar {
    name: String,
    /// Its length, in whatever unit the panel has.
    size: u64,
    value: String,
}

/// Draws throughput beside the switch on disk, and latency beside its floor.
pub(crate) fn draw(rows: &[Row]) -> Result<String> {
    let reference = Reference::of(rows)?;
    // The bare echo would dwarf all others; it is in the table.
    let throughput = rows.iter().skip(2).filter_map(|row| {
        let size = row.per_second()?;
        let value = format!("{}/s, {} times", thousands(size), ratio(size, reference.per_second));
        Some(Bar { name: row.name.clone(), size, value })
    });
    let latency = rows.iter().filter_map(|row| {
        let size = row.latency(0.5)?;
        let value = format!("{} us, {} times", thousands(size / 1_000), ratio(size, reference.floor));
        Some(Bar { name: row.name.clone(), size, value })
    });
    let panels = [
        ("Answers a second at once, and as a multiple of authswitch on disk", throughput.collect::<Vec<_>>()),
        ("One at a time: median, and as a multiple of echo + fdatasync", latency.collect()),
    ];
    let (mut body, mut y) = (String::new(), 0);
    for (title, bars) in panels {
        y = panel(&mut body, title, &bars, y)?;
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" width=\"{WIDTH}\" height=\"{y}\" \
         role=\"img\">\n<title>authswitch beside other systems, in one run</title>\n{STYLE}\n{body}</svg>\n"
    ))
}

/// Draws one panel from `y` on; where the next one begins.
fn panel(body: &mut String, title: &str, bars: &[Bar], y: u64) -> Result<u64> {
    let most = bars.iter().map(|bar| bar.size).max().unwrap_or(1).max(1);
    writeln!(body, "<text class=\"title\" x=\"8\" y=\"{}\">{title}</text>", y + 26)?;
    for (place, bar) in (0_u64..).zip(bars) {
        let top = y + TOP + place * STEP;
        let width = (bar.size * LONGEST / most).max(1);
        let class = if bar.name.starts_with("authswitch") { "own" } else { "bar" };
        let middle = top + BAR - 6;
        writeln!(body, "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>", LEFT - 8, bar.name)?;
        writeln!(
            body,
            "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{top}\" width=\"{width}\" height=\"{BAR}\" rx=\"2\"/>"
        )?;
        // A long bar has its value inside, where there is room.
        let (x, anchor) =
            if width * 2 > LONGEST { (LEFT + width - 6, "end") } else { (LEFT + width + 6, "start") };
        let fill = if anchor == "end" { " style=\"fill:#fff\"" } else { "" };
        writeln!(
            body,
            "<text class=\"value\" x=\"{x}\" y=\"{middle}\" text-anchor=\"{anchor}\"{fill}>{}</text>",
            bar.value
        )?;
    }
    Ok(y + TOP + bars.len() as u64 * STEP + 16)
}
