//! All elements of a message in one walk, when nothing is wrong with any.
//!
//! Characters are not looked at element by element: neighbours that may hold the same characters are one *run*, with the
//! prefixes between them where those are written with such characters too, and a run is looked at as a whole. `None` says
//! nothing about what is wrong, or where: the plain way is then gone from the first element on, and names the first fault.

use crate::bitmap::{Bitmap, take_lowest};
use crate::dialect::Table;
use crate::position::{Span, narrow};
use crate::quick::Company;
use crate::scan::Scan;

/// Bytes that may all hold the same characters, as far as they were walked over.
#[derive(Clone, Copy)]
struct Run {
    scan: Scan,
    /// Who else may join.
    company: Company,
    start: u32,
}

impl Run {
    /// Whether the run, which ends at `end`, holds only what it may hold. Not inlined: there are a few runs in a
    /// message, and the walk is to keep its numbers in registers.
    #[inline(never)]
    fn is_right(&self, input: &[u8], end: u32) -> bool {
        input.get(self.start as usize..end as usize).is_some_and(|bytes| self.scan.accepts(bytes))
    }
}

/// The places of the elements in `present`, which start at `at` and end with the message.
pub(crate) fn walk(table: &Table, input: &[u8], present: Bitmap, at: usize) -> Option<Vec<Span>> {
    let mut spans = vec![Span::default(); present.len()];
    let mut places = spans.iter_mut();
    let mut at = u32::try_from(at).ok()?;
    let mut run: Option<Run> = None;
    for (row, (before, mut bits)) in table.quick.iter().zip([0, 64, 128].into_iter().zip(present.words())) {
        while bits != 0 {
            let place = take_lowest(&mut bits) as u8;
            let quick = row.get(usize::from(place))?;
            let span = match quick.span(input, at) {
                Some(span) => {
                    if run.is_none_or(|run| !run.company.admits(quick.company)) {
                        if run.is_some_and(|run| !run.is_right(input, at)) {
                            return None;
                        }
                        let (company, start) = quick.company.begin(at, span.start);
                        run = Some(Run { scan: quick.scan, company, start });
                    }
                    span
                }
                None => {
                    let span = table.element(before + place + 1)?.locate_any(input, at as usize).ok()?;
                    if run.take().is_some_and(|run| !run.is_right(input, at)) {
                        return None;
                    }
                    span
                }
            };
            at = span.end;
            *places.next()? = span;
        }
    }
    (run.is_none_or(|run| run.is_right(input, at)) && at == narrow(input.len())).then_some(spans)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::filled::{changed, filled};
    use bytes::Bytes;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_walk_finds_what_the_plain_way_finds_or_nothing(
            chosen in proptest::collection::vec(any::<bool>(), 130),
            changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..3),
        ) {
            for (dialect, all) in filled() {
                let wire = changed(dialect, all, &chosen, &changes);
                // What is refused was read the plain way.
                let Ok(walked) = dialect.decode(Bytes::from(wire)) else { continue };
                let mut plain = walked.clone();
                plain.spans.clear();
                let read = plain.read_plainly(walked.present, 0, walked.first as usize);
                prop_assert_eq!(read, Ok(()), "{:?}", dialect);
                prop_assert_eq!(plain.spans, walked.spans, "{:?}", dialect);
            }
        }
    }

    #[test]
    fn messages_of_every_shipped_dialect_are_walked() {
        for (dialect, all) in filled() {
            let (present, first) = (all.present, all.first as usize);
            let spans = super::walk(&all.table, &all.bytes, present, first);
            assert!(present.len() > 50, "{dialect:?}");
            assert_eq!(spans.as_ref(), Some(&all.spans), "{dialect:?}");
        }
    }
}
