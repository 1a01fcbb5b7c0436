//! What an answer gives back of its request, byte for byte.
//!
//! Most of an answer is that, so that it is copied in as few pieces as the request has it in, and looked at no further: it
//! was checked when the request was decoded.

use crate::bitmap::{Bitmap, take_lowest};
use crate::content::Content;
use crate::draft::{Draft, Piece};
use crate::message::Message;
use crate::position::narrow;
use std::sync::Arc;

impl Draft {
    /// Sets `de` to what `request` has there, byte for byte if both speak the same dialect. An element
    /// that the request does not have is not set.
    pub fn echo(&mut self, de: u8, request: &Message) -> &mut Self {
        if !Arc::ptr_eq(&self.table, &request.table) {
            return self.translate(de, request);
        }
        if let Some(wire) = request.wire(de) {
            // It was checked when the request was decoded.
            let start = self.scratch.len();
            self.scratch.extend_from_slice(wire);
            self.place(de, start);
        }
        self
    }

    /// Sets every element that the dialect's rules say the answer to `request` gives back.
    pub fn echo_by_rule(&mut self, request: &Message) -> &mut Self {
        let table = Arc::clone(&self.table);
        let Some(rules) = table.rules(request.mti()) else { return self };
        if Arc::ptr_eq(&table, &request.table) && self.elements.is_empty() && request.resumed.is_none() {
            self.echo_pieces(rules.echo_set(), request);
        } else {
            for de in rules.echo() {
                self.echo(*de, request);
            }
        }
        self
    }

    /// Sets these elements to what `request` has there. Those that lie side by side there are copied in one piece.
    fn echo_pieces(&mut self, echoed: Bitmap, request: &Message) {
        let Self { scratch, elements, .. } = self;
        let mut spans = request.spans.iter();
        let (mut piece, mut start, mut written) = (0..0, request.first, narrow(scratch.len()));
        for (first, (mut bits, echoed)) in
            [1, 65, 129_u8].into_iter().zip(request.present.words().into_iter().zip(echoed.words()))
        {
            if bits == 0 {
                continue;
            }
            elements.extend(std::iter::from_fn(|| {
                while bits != 0 {
                    let place = take_lowest(&mut bits);
                    let wire = start..spans.next()?.end;
                    start = wire.end;
                    if echoed >> place & 1 == 0 {
                        continue;
                    }
                    let end = written.wrapping_add(wire.end.wrapping_sub(wire.start));
                    if wire.start == piece.end {
                        piece.end = wire.end;
                    } else {
                        scratch.extend_from_slice(request.between(std::mem::replace(&mut piece, wire)));
                    }
                    let start = std::mem::replace(&mut written, end);
                    return Some(Piece { de: first.wrapping_add(place as u8), start, end });
                }
                None
            }));
        }
        scratch.extend_from_slice(request.between(piece));
        self.present = echoed.and(request.present);
    }

    /// Sets `de` to the same value in this dialect's own form.
    fn translate(&mut self, de: u8, request: &Message) -> &mut Self {
        let binary = self.table.element(de).is_some_and(|spec| spec.content == Content::Binary);
        if binary && let Some(bytes) = request.binary(de) {
            return self.binary(de, &bytes);
        }
        match request.text(de) {
            Some(text) => self.text(de, &text),
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::filled::{changed, filled};
    use crate::{Draft, Mti};
    use bytes::{Bytes, BytesMut};
    use proptest::prelude::*;

    fn encoded(draft: &Draft) -> Vec<u8> {
        let mut out = BytesMut::new();
        draft.encode_into(&mut out).unwrap();
        out.to_vec()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_echoed_by_rule_is_what_is_echoed_one_by_one(
            chosen in proptest::collection::vec(any::<bool>(), 130),
            changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..2),
        ) {
            for (dialect, all) in filled() {
                let wire = Bytes::from(changed(dialect, all, &chosen, &changes));
                let read = dialect.decode(wire).map_or_else(|rejected| rejected.partial, Some);
                let Some(request) = read else { continue };
                let Some(rules) = dialect.rules(request.mti()) else { continue };
                let (mut by_rule, mut one_by_one) = (Draft::new(dialect, all.mti()), Draft::new(dialect, all.mti()));
                rules.echo().iter().for_each(|de| {
                    one_by_one.echo(*de, &request);
                });
                by_rule.echo_by_rule(&request);
                prop_assert_eq!(encoded(&by_rule), encoded(&one_by_one), "{:?}", dialect);
                // One that is set afterwards comes to its place, or takes another's.
                for de in [4, 38, 39] {
                    by_rule.echo(de, all);
                    one_by_one.echo(de, all);
                }
                by_rule.remove(11);
                one_by_one.remove(11);
                prop_assert_eq!(encoded(&by_rule), encoded(&one_by_one), "{:?}", dialect);
            }
        }
    }

    #[test]
    fn a_draft_that_has_elements_already_keeps_them() {
        let (dialect, request) = filled().first().unwrap();
        let mut draft = Draft::new(dialect, Mti::parse("0110").unwrap());
        draft.text(39, "00").echo_by_rule(request);
        let answer = dialect.decode(Bytes::from(encoded(&draft))).unwrap();
        assert_eq!((answer.text(39).as_deref(), answer.raw(11)), (Some("00"), request.raw(11)));
    }
}
