//! The report as text.

use super::super::tests::sample;
use super::super::{BooksTable, Figure};
use super::*;

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [80, 100, 140] {
        let text = sample().to_text(Style { colour: false, width });
        for line in text.lines() {
            let columns = line.chars().count();
            assert!(columns <= width.max(100), "{columns} columns at {width}: {line}");
        }
    }
}

#[test]
fn colour_adds_to_the_text_and_takes_nothing_away() {
    let plain = sample().to_text(Style::PLAIN);
    let coloured = sample().to_text(Style { colour: true, ..Style::PLAIN });
    assert!(!plain.contains('\x1b') && coloured.contains('\x1b'));
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        stripped.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    stripped.push_str(rest);
    let trimmed: Vec<&str> = stripped.lines().map(str::trim_end).collect();
    assert_eq!(trimmed, plain.lines().collect::<Vec<_>>());
}

#[test]
fn a_path_is_drawn_on_its_decades() {
    let text = sample().to_text(Style::PLAIN);
    let line =
        |name: &str| text.lines().find(|line| line.starts_with(&format!(" {name} "))).unwrap().to_owned();
    let mark = |name: &str, mark: char| line(name).chars().position(|drawn| drawn == mark).unwrap();
    assert!(mark("cache", '●') < mark("jit", '●'));
    assert!(mark("jit", '●') < mark("jit", '◆'));
    assert!(mark("jit", '◆') < mark("jit", '▲'));
    assert!(mark("jit", '▲') < mark("jit", '╸'));
    assert!(line("cache").contains("74,120   420 µs  1.90 ms  3.20 ms  9.00 ms"), "{}", line("cache"));
}

#[test]
fn books_that_differ_are_marked_and_named() {
    assert!(!sample().to_text(Style::PLAIN).contains('✗'));
    let mut report = sample();
    report.books = BooksTable::of(&["processor", "switch"]);
    let cents = |units| Some(Figure::money(units, 2));
    report.books.row("held, USD", vec![cents(1_999), cents(1_998)]);
    (0..12).for_each(|n| report.books.compare(format!("acct-{n} held"), &[cents(1_999), cents(1_998)]));
    let text = report.to_text(Style::PLAIN);
    assert!(text.contains("acct-0 held: processor 19.99, switch 19.98"));
    assert!(text.contains("and 2 more"));
    assert_eq!(text.matches('✗').count(), 2);
}

#[test]
fn a_bar_is_never_empty_and_never_too_long() {
    assert_eq!(bar(1.0, 10), "█".repeat(10));
    assert_eq!(bar(0.0, 10), "▏");
    assert_eq!(bar(0.55, 10), format!("{}▌", "█".repeat(5)));
}

#[test]
fn a_sparkline_keeps_every_peak() {
    let mut values = vec![1.0; 100];
    values[57] = 10.0;
    let line = sparkline(&values, 20);
    assert_eq!((line.chars().count(), line.matches('█').count()), (20, 1));
    assert_eq!(sparkline(&[0.0, 0.0], 20), "▁▁");
}
