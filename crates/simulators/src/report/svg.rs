//! A sheet of SVG: lines, areas, bars and words, coloured by the page's style sheet.
//!
//! Shapes carry classes and no colours, so that one drawing serves light and dark pages. Everything written by
//! hand is escaped here and nowhere else.

use std::fmt::Write as _;

/// A drawing.
#[derive(Debug)]
pub(crate) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// Where a text stands on its point.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub(crate) const fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(
            self.body,
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        );
    }

    /// A line through points, with a word that shows when the pointer rests on it.
    pub(crate) fn polyline(&mut self, class: &str, points: &[(f64, f64)], title: &str) {
        let points = path_of(points);
        let title = escape(title);
        let _ = writeln!(self.body, r#"<path class="{class}" d="M{points}"><title>{title}</title></path>"#);
    }

    /// The area between points and a base line.
    pub(crate) fn area(&mut self, class: &str, points: &[(f64, f64)], base: f64) {
        if let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) {
            let points = path_of(points);
            let _ = writeln!(
                self.body,
                r#"<path class="{class}" d="M{first:.1} {base:.1} L{points} L{last:.1} {base:.1} Z"/>"#
            );
        }
    }

    pub(crate) fn bar(&mut self, class: &str, at: (f64, f64), size: (f64, f64), title: &str) {
        let ((x, y), (width, height), title) = (at, size, escape(title));
        let _ = writeln!(
            self.body,
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="2"><title>{title}</title></rect>"#
        );
    }

    pub(crate) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let ((x, y), text) = (at, escape(text));
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = writeln!(
            self.body,
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
        );
    }

    /// The drawing as an element of a page, with a sentence for those who cannot see it.
    pub(crate) fn finish(self, what: &str) -> String {
        let Self { width, height, body } = self;
        let what = escape(what);
        format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{what}\">\n{body}</svg>\n")
    }
}

fn path_of(points: &[(f64, f64)]) -> String {
    let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    points.join(" L")
}

/// Text as it may stand in HTML and SVG, inside and outside of quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
