//! The report for a terminal: latency ranges on a logarithmic axis, bars, sparklines, and the books.
//!
//! Colour only adds to what is there without it: every mark has its own shape, and every figure its number.

use super::axis::LogAxis;
use super::books::BooksTable;
use super::number::{count, duration};
use super::{DeclineCount, DemoReport, Headline, PathLatency};
use crate::processor::Second;
use std::io::IsTerminal as _;

/// How text is laid out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Style {
    /// Whether colours are used.
    pub colour: bool,
    /// Columns, from 80 to 140.
    pub width: usize,
}

impl Style {
    /// Plain text, 100 columns wide.
    pub const PLAIN: Self = Self { colour: false, width: 100 };

    /// What suits standard output: colour on a terminal unless `NO_COLOR` says otherwise, as wide as `COLUMNS`.
    #[must_use]
    pub fn of_stdout() -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Self {
            colour: std::io::stdout().is_terminal() && !no_colour,
            width: columns.unwrap_or(Self::PLAIN.width).clamp(80, 140),
        }
    }

    fn paint(self, colour: Colour, text: &str) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", colour as u8) } else { text.to_owned() }
    }
}

/// Colours by what they say; the numbers are those of ANSI terminals.
#[derive(Clone, Copy)]
enum Colour {
    Strong = 1,
    Faint = 2,
    Bad = 31,
    Good = 32,
    Warning = 33,
    Accent = 36,
}

pub(crate) fn render(report: &DemoReport, style: Style) -> String {
    let mut out = Canvas { style, text: String::new() };
    out.headline(&report.title, &report.headline);
    out.conditions(&report.conditions);
    out.latencies(&report.paths);
    out.timeline(&report.timeline);
    out.declines(&report.declines);
    out.books(&report.books);
    out.violations(&report.violations);
    out.text
}

struct Canvas {
    style: Style,
    text: String,
}

impl Canvas {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn section(&mut self, name: &str, note: &str) {
        self.line("");
        let name = self.style.paint(Colour::Strong, name);
        let note = self.style.paint(Colour::Faint, note);
        self.line(&format!(" {name}  {note}"));
    }

    fn headline(&mut self, title: &str, headline: &Headline) {
        let rule = "━".repeat(self.style.width.saturating_sub(2));
        let rule = self.style.paint(Colour::Accent, &rule);
        self.line(&format!(" {rule}"));
        let title = self.style.paint(Colour::Strong, title);
        let rate = count(headline.answers_per_second.round() as u64);
        let rate = self.style.paint(Colour::Strong, &format!("{rate} answers/s"));
        self.line(&format!(" {title}   {rate} over {:.1} s", headline.sending.as_secs_f64()));
        let worry = |number: u64| if number == 0 { Colour::Good } else { Colour::Bad };
        let unanswered = format!("{} unanswered", count(headline.unanswered));
        let broken = format!("{} broken promises", count(headline.violations));
        let late = format!("{} late", count(headline.late));
        self.line(&format!(
            " {} sent · {} approved · {} declined · {} · {} · {}",
            count(headline.sent),
            count(headline.approved),
            count(headline.declined),
            self.style.paint(worry(headline.late), &late),
            self.style.paint(worry(headline.unanswered), &unanswered),
            self.style.paint(worry(headline.violations), &broken),
        ));
        if headline.delayed > 0 {
            let delayed = format!(" {} messages left more than 1 ms late", count(headline.delayed));
            let delayed = self.style.paint(Colour::Warning, &delayed);
            self.line(&delayed);
        }
        self.line(&format!(" {rule}"));
    }

    fn conditions(&mut self, conditions: &[(String, String)]) {
        let widest = conditions.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in conditions {
            let name = self.style.paint(Colour::Faint, &format!("{name:widest$}"));
            self.line(&format!(" {name}  {value}"));
        }
    }

    fn latencies(&mut self, paths: &[PathLatency]) {
        if paths.is_empty() {
            return;
        }
        self.section("Latency by path", "from the scheduled send time · ● p50  ◆ p99  ▲ p99.9  ╸ max");
        let head =
            format!(" {:<11} {:>10} {:>8} {:>8} {:>8} {:>8}  ", "", "answers", "p50", "p99", "p99.9", "max");
        let room = self.style.width.saturating_sub(head.chars().count() + 1).max(20);
        let axis = LogAxis::around(paths.iter().flat_map(|path| [path.p50, path.max]));
        let (labels, ruler) = scale(&axis, room);
        let head = self.style.paint(Colour::Faint, &format!("{head}{labels}"));
        self.line(&head);
        for path in paths {
            let figures = [path.p50, path.p99, path.p999, path.max].map(duration);
            let [p50, p99, p999, max] = figures;
            let range = self.style.paint(Colour::Accent, &range(path, &axis, &ruler));
            let name = self.style.paint(Colour::Strong, &format!("{:<11}", path.name));
            let answers = count(path.count);
            self.line(&format!(" {name} {answers:>10} {p50:>8} {p99:>8} {p999:>8} {max:>8}  {range}"));
        }
    }

    fn timeline(&mut self, timeline: &[Second]) {
        if timeline.len() < 2 {
            return;
        }
        let room = self.style.width.saturating_sub(36);
        let note = if timeline.len() > room {
            "one mark for several seconds, the highest of them"
        } else {
            "one mark a second"
        };
        self.section("Over time", note);
        let rates: Vec<f64> = timeline.iter().map(|second| second.answered as f64).collect();
        let slow: Vec<f64> = timeline.iter().map(|second| second.p99.as_secs_f64()).collect();
        let most = timeline.iter().map(|second| second.answered).max().unwrap_or(0);
        let slowest = timeline.iter().map(|second| second.p99).max().unwrap_or_default();
        let rate = self.style.paint(Colour::Good, &sparkline(&rates, room));
        let p99 = self.style.paint(Colour::Warning, &sparkline(&slow, room));
        self.line(&format!(" {:<11} {rate}  up to {}", "answers/s", count(most)));
        self.line(&format!(" {:<11} {p99}  up to {}", "p99", duration(slowest)));
    }

    fn declines(&mut self, declines: &[DeclineCount]) {
        let most = declines.iter().map(|decline| decline.count).max().unwrap_or(0);
        if most == 0 {
            return;
        }
        let total: u64 = declines.iter().map(|decline| decline.count).sum();
        self.section("Declines by reason", &format!("{} in all, with their response codes", count(total)));
        let widest = declines.iter().map(|decline| decline.reason.chars().count()).max().unwrap_or(0);
        let codes = declines.iter().map(|decline| decline.response_codes.len()).max().unwrap_or(0);
        let room = self.style.width.saturating_sub(widest + codes + 16).max(10);
        for decline in declines {
            let bar = bar(decline.count as f64 / most as f64, room);
            let bar = self.style.paint(Colour::Warning, &bar);
            let code = self.style.paint(Colour::Faint, &format!("{:<codes$}", decline.response_codes));
            self.line(&format!(" {:<widest$}  {code}  {:>9}  {bar}", decline.reason, count(decline.count)));
        }
    }

    fn books(&mut self, books: &BooksTable) {
        if books.rows.is_empty() && books.compared == 0 {
            return;
        }
        self.section("Books", "to the smallest unit");
        let widest = books.rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0).max(10);
        let columns: String = books.books.iter().map(|book| format!(" {book:>22}")).collect();
        let head = self.style.paint(Colour::Faint, &format!(" {:widest$}{columns}", ""));
        self.line(&head);
        for row in &books.rows {
            let figures: String = row
                .figures
                .iter()
                .map(|figure| {
                    figure.map_or_else(|| format!(" {:>22}", "·"), |figure| format!(" {figure:>22}"))
                })
                .collect();
            let verdict = self.verdict(row.agrees());
            self.line(&format!(" {:widest$}{figures}  {verdict}", row.what));
        }
        let verdict = self.verdict(books.differences.is_empty());
        let compared = count(books.compared);
        let differ = count(books.differences.len() as u64);
        self.line(&format!(" {verdict} {compared} accounts and cards compared one by one, {differ} differ"));
        for difference in books.differences.iter().take(DIFFERENCES_MAX) {
            let difference = self.style.paint(Colour::Bad, &format!("   {difference}"));
            self.line(&difference);
        }
        if books.differences.len() > DIFFERENCES_MAX {
            self.line(&format!("   and {} more", books.differences.len() - DIFFERENCES_MAX));
        }
    }

    fn verdict(&self, good: bool) -> String {
        if good { self.style.paint(Colour::Good, "✓") } else { self.style.paint(Colour::Bad, "✗") }
    }

    fn violations(&mut self, violations: &[String]) {
        if violations.is_empty() {
            return;
        }
        self.section("Broken promises", "");
        for violation in violations {
            let violation = self.style.paint(Colour::Bad, &format!(" ✗ {violation}"));
            self.line(&violation);
        }
    }
}

/// Differences that are named one by one; the HTML report has them all.
const DIFFERENCES_MAX: usize = 10;

/// The labels of an axis, and a ruler with a mark at each decade to draw on.
fn scale(axis: &LogAxis, room: usize) -> (String, Vec<char>) {
    let mut labels = vec![' '; room + 8];
    let mut ruler = vec!['·'; room];
    for (place, label) in axis.decades() {
        let at = column(place, room);
        put(&mut ruler, at, '┊');
        // A label begins at its mark; the last one ends there.
        let from =
            if at + label.chars().count() > room { room - label.chars().count().min(room) } else { at };
        for (offset, letter) in label.chars().enumerate() {
            put(&mut labels, from + offset, letter);
        }
    }
    (labels.into_iter().collect::<String>().trim_end().to_owned(), ruler)
}

fn range(path: &PathLatency, axis: &LogAxis, ruler: &[char]) -> String {
    let at = |latency| column(axis.place(latency), ruler.len());
    let (p50, p99, p999, max) = (at(path.p50), at(path.p99), at(path.p999), at(path.max));
    let mut drawn = ruler.to_vec();
    for (from, to, mark) in [(p999, max, '┄'), (p99, p999, '─'), (p50, p99, '━')] {
        (from..to).for_each(|column| put(&mut drawn, column, mark));
    }
    // Where marks fall together, the smaller quantile is the one that shows.
    for (column, mark) in [(max, '╸'), (p999, '▲'), (p99, '◆'), (p50, '●')] {
        put(&mut drawn, column, mark);
    }
    drawn.into_iter().collect()
}

fn column(place: f64, room: usize) -> usize {
    (place * room.saturating_sub(1) as f64).round() as usize
}

fn put(cells: &mut [char], at: usize, mark: char) {
    if let Some(cell) = cells.get_mut(at) {
        *cell = mark;
    }
}

/// A bar of up to `room` columns, in eighths of a column; never empty.
fn bar(share: f64, room: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = ((share * room as f64 * 8.0).round() as usize).max(1);
    let rest = EIGHTHS.get(eighths % 8).copied().unwrap_or_default();
    format!("{}{rest}", "█".repeat(eighths / 8))
}

/// One mark a value, or one a stretch of values where there are more than `room`; each shows its stretch's
/// highest, so that no peak is lost.
fn sparkline(values: &[f64], room: usize) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let top = values.iter().copied().fold(0.0, f64::max);
    let stretch = values.len().div_ceil(room.max(1)).max(1);
    let highest = values.chunks(stretch).map(|chunk| chunk.iter().copied().fold(0.0, f64::max));
    let mark = |value: f64| {
        let level = if top > 0.0 { (value / top * 7.0).round() as usize } else { 0 };
        LEVELS.get(level).copied().unwrap_or('█')
    };
    highest.map(mark).collect()
}

#[cfg(test)]
#[path = "terminal_tests.rs"]
mod tests;
