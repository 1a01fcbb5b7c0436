//! The report as one HTML file: no script, no font, no picture from elsewhere, light and dark.

use super::books::BooksTable;
use super::number::{count, duration};
use super::svg::escape;
use super::{DemoReport, Headline, PathLatency, chart};

const STYLE: &str = include_str!("style.css");

pub(crate) fn render(report: &DemoReport) -> String {
    let title = escape(&report.title);
    let verdict = if report.is_green() {
        "<span class=\"verdict good\">✓ every promise kept</span>"
    } else {
        "<span class=\"verdict bad\">✗ promises broken</span>"
    };
    let sections = [
        tiles(&report.headline),
        latencies(&report.paths),
        over_time(report),
        declines(report),
        books(&report.books),
        violations(&report.violations),
        conditions(&report.conditions),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header><h1>{title}</h1>{verdict}</header>\n{}\
         <footer>Latencies count from the time at which a message was due to be sent, so a stall shows in \
         full. Card numbers are masked everywhere.</footer>\n</main>\n</body>\n</html>\n",
        sections.concat()
    )
}

fn section(name: &str, note: &str, body: &str) -> String {
    let (name, note) = (escape(name), escape(note));
    format!("<section>\n<h2>{name}</h2>\n<p class=\"note\">{note}</p>\n{body}</section>\n")
}

fn tiles(headline: &Headline) -> String {
    let rate = count(headline.answers_per_second.round() as u64);
    let worry = |number: u64| if number == 0 { "good" } else { "bad" };
    let plain = [
        (rate, "answers a second", ""),
        (format!("{:.1} s", headline.sending.as_secs_f64()), "duration", ""),
        (count(headline.sent), "messages sent", ""),
        (count(headline.approved), "approved", ""),
        (count(headline.declined), "declined", ""),
        (count(headline.late), "late", worry(headline.late)),
        (count(headline.unanswered), "unanswered", worry(headline.unanswered)),
        (count(headline.violations), "broken promises", worry(headline.violations)),
    ];
    let tiles: String = plain
        .into_iter()
        .map(|(figure, what, class)| {
            format!("<div class=\"tile\"><b class=\"{class}\">{figure}</b><span>{what}</span></div>\n")
        })
        .collect();
    let delayed = match headline.delayed {
        0 => String::new(),
        delayed => format!(
            "<p class=\"note\">{} messages left more than 1 ms after they were due.</p>\n",
            count(delayed)
        ),
    };
    format!("<section>\n<div class=\"tiles\">\n{tiles}</div>\n{delayed}</section>\n")
}

fn latencies(paths: &[PathLatency]) -> String {
    if paths.is_empty() {
        return String::new();
    }
    let rows: String = (1..)
        .zip(paths)
        .map(|(number, path): (usize, &PathLatency)| {
            let name = escape(&path.name);
            let figures = [path.p50, path.p99, path.p999, path.max].map(|it| cell(&duration(it))).concat();
            let key = format!("<i class=\"key s{number}\"></i>");
            format!("<tr><td>{key}{name}</td>{}{figures}</tr>\n", cell(&count(path.count)))
        })
        .collect();
    let head = "<tr><th>path</th><th>answers</th><th>p50</th><th>p99</th><th>p99.9</th><th>max</th></tr>";
    let table = format!("<div class=\"scroll\"><table>\n{head}\n{rows}</table></div>\n");
    let note = "Each curve shows how slow the slowest part of the answers is; it ends where the number of answers ends.";
    section("Latency by path", note, &(chart::percentiles(paths) + &table))
}

fn cell(text: &str) -> String {
    format!("<td>{}</td>", escape(text))
}

fn over_time(report: &DemoReport) -> String {
    let seconds = report.timeline.as_slice();
    if seconds.len() < 2 {
        return String::new();
    }
    section("Over time", "Answers in each second, and their latencies.", &chart::timeline(seconds))
}

fn declines(report: &DemoReport) -> String {
    if report.declines.is_empty() {
        return String::new();
    }
    let note = "By what was wrong with the request or the card, with the response codes that it was given.";
    section("Declines by reason", note, &chart::declines(&report.declines))
}

fn books(books: &BooksTable) -> String {
    if books.rows.is_empty() && books.compared == 0 {
        return String::new();
    }
    let heads: String = books.books.iter().map(|book| format!("<th>{}</th>", escape(book))).collect();
    let rows: String = books
        .rows
        .iter()
        .map(|row| {
            let shown = |figure: &Option<super::Figure>| {
                figure.map_or_else(|| cell("·"), |figure| cell(&figure.to_string()))
            };
            let figures: String = row.figures.iter().map(shown).collect();
            format!("<tr>{}{figures}{}</tr>\n", cell(&row.what), verdict(row.agrees()))
        })
        .collect();
    let table =
        format!("<div class=\"scroll\"><table>\n<tr><th></th>{heads}<th></th></tr>\n{rows}</table></div>\n");
    let differences: String = books
        .differences
        .iter()
        .map(|it| format!("<li class=\"bad\">{}</li>\n", escape(&it.to_string())))
        .collect();
    let list = if differences.is_empty() { String::new() } else { format!("<ul>\n{differences}</ul>\n") };
    let note = format!(
        "Kept apart by each side and compared to the smallest unit. {} accounts and cards were compared one by one, {} differ.",
        count(books.compared),
        count(books.differences.len() as u64)
    );
    section("Books", &note, &(table + &list))
}

fn verdict(good: bool) -> &'static str {
    if good { "<td class=\"good\">✓</td>" } else { "<td class=\"bad\">✗</td>" }
}

fn violations(violations: &[String]) -> String {
    if violations.is_empty() {
        return String::new();
    }
    let items: String =
        violations.iter().map(|it| format!("<li class=\"bad\">{}</li>\n", escape(it))).collect();
    section(
        "Broken promises",
        "As the processor saw them; card data is masked.",
        &format!("<ul>\n{items}</ul>\n"),
    )
}

fn conditions(conditions: &[(String, String)]) -> String {
    if conditions.is_empty() {
        return String::new();
    }
    let items: String = conditions
        .iter()
        .map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value)))
        .collect();
    section("Conditions", "What was run, and on what.", &format!("<dl>\n{items}</dl>\n"))
}
