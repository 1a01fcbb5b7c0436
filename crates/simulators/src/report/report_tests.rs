//! What makes a report green, and what it compares.

use super::*;

pub(super) fn latency(name: &str, micros: [u64; 4], count: u64) -> PathLatency {
    let [p50, p99, p999, max] = micros.map(Duration::from_micros);
    let curve = vec![(0.0, p50 / 3), (0.3, p50), (1.0, p50 * 2), (2.0, p99), (3.0, p999), (4.1, max)];
    PathLatency { name: name.into(), count, p50, p99, p999, max, curve }
}

/// A report with something in every part.
pub(super) fn sample() -> DemoReport {
    let second = |at: u64| Second {
        sent: 5_000,
        answered: 4_950 + at * 7 % 90,
        p50: Duration::from_micros(420 + at * 13 % 50),
        p99: Duration::from_micros(if at == 17 { 48_000 } else { 4_200 + at * 131 % 900 }),
        max: Duration::from_micros(9_000 + at * 977 % 5_000),
    };
    let decline = |reason: &str, codes: &str, count| DeclineCount {
        reason: reason.into(),
        response_codes: codes.into(),
        count,
    };
    let mut books = BooksTable::of(&["processor", "switch", "balance service"]);
    let cents = |units| Some(Figure::money(units, 2));
    books.row("approved and advised, USD", vec![cents(48_211_907), cents(48_211_907), None]);
    books.row("reversed, USD", vec![cents(5_190_033), cents(5_190_033), None]);
    books.row("held, USD", vec![cents(43_021_874), cents(43_021_874), None]);
    let tether = Some(Figure::money(91_223_118_204, 6));
    books.row("reserved for JIT, USDT", vec![None, tether, tether]);
    books.compare("acct-cache-0 held", &[cents(5), cents(5), None]);
    DemoReport {
        title: "authswitch demo".into(),
        conditions: vec![
            ("machine".into(), "2 cores, Linux <test>".into()),
            ("acknowledge".into(), "disk".into()),
        ],
        headline: Headline {
            sending: Duration::from_millis(30_120),
            answers_per_second: 4_981.3,
            sent: 150_041,
            answered: 150_041,
            approved: 104_207,
            declined: 18_010,
            ..Headline::default()
        },
        paths: vec![
            latency("cache", [420, 1_900, 3_200, 9_000], 74_120),
            latency("jit", [2_900, 7_400, 19_000, 61_000], 24_480),
            latency("decline", [410, 1_850, 3_100, 8_000], 17_011),
            latency("jit-decline", [2_700, 7_100, 12_000, 30_000], 999),
            latency("repeat", [405, 2_000, 5_000, 22_000], 9_000),
            latency("reversal", [430, 1_950, 3_300, 8_400], 15_730),
            latency("advice", [425, 1_900, 3_000, 7_000], 4_500),
            latency("echo", [120, 600, 900, 1_200], 750),
        ],
        declines: vec![
            decline("insufficient funds", "51", 1_243),
            decline("card frozen", "62", 1_190),
            decline("unknown card", "14", 1_101),
            decline("currency not allowed", "57", 988),
            decline("funding declined", "05 51", 411),
        ],
        timeline: (0..31).map(second).collect(),
        books,
        violations: vec![],
    }
}

#[test]
fn a_report_is_green_only_if_nothing_at_all_is_wrong() {
    assert!(sample().is_green());
    let mut unanswered = sample();
    unanswered.headline.unanswered = 1;
    let mut broken = sample();
    broken.headline.violations = 1;
    let mut unequal = sample();
    unequal.books.compare("acct-1", &[Some(Figure::count(1)), Some(Figure::count(2)), None]);
    for red in [unanswered, broken, unequal] {
        assert!(!red.is_green());
        assert!(red.to_html().contains("promises broken"));
    }
}

#[test]
fn the_html_report_needs_nothing_from_elsewhere() {
    let html = sample().to_html();
    for foreign in ["http:", "https:", "<script", "src=", "@import", "url("] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    assert_eq!(html.matches("<svg").count(), 3);
    assert!(html.contains("Linux &lt;test&gt;"), "text is escaped");
}

#[test]
fn every_path_has_its_curve_its_colour_and_its_figures() {
    let html = sample().to_html();
    for (number, path) in (1..).zip(sample().paths) {
        for part in [format!("curve s{number}"), format!("key s{number}"), duration_cell(path.p999)] {
            assert!(html.contains(&part), "{}: {part}", path.name);
        }
    }
}

fn duration_cell(duration: Duration) -> String {
    format!("<td>{}</td>", number::duration(duration))
}

#[test]
fn an_empty_report_still_renders() {
    let outcome_less = DemoReport {
        title: String::new(),
        conditions: vec![],
        headline: Headline::default(),
        paths: vec![],
        declines: vec![],
        timeline: vec![],
        books: BooksTable::default(),
        violations: vec![],
    };
    assert!(outcome_less.to_html().ends_with("</html>\n"));
    assert!(outcome_less.to_text(Style::PLAIN).contains("0 sent"));
}

#[test]
fn every_element_that_is_opened_is_closed() {
    let html = sample().to_html();
    for element in
        ["section", "table", "tr", "td", "svg", "text", "div", "dl", "main", "title", "path", "rect"]
    {
        let opened =
            html.matches(&format!("<{element}>")).count() + html.matches(&format!("<{element} ")).count();
        let closed = html.matches(&format!("</{element}>")).count();
        let alone = html.matches("\"/>").count().min(usize::from(element == "path"));
        assert!(opened == closed || opened == closed + alone, "{element}: {opened} {closed}");
    }
}
