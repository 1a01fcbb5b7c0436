//! The places of a dialect as its file writes them, checked and compiled.
//!
//! A place is `{ at = "48.61", from = 5, length = 1, .. }`: an element or a part of one, and which of its characters. Several in
//! a list are tried in order, and the first that says something counts.

use crate::bitmap::Bitmap;
use crate::code::Code;
use crate::encoding::Encoding;
use crate::locations::{
    AdditionalAmounts, Alternative, Alternatives, Condition, FlagAt, Locations, Meaning, Place, TextAt,
    WordAt, characters_max, part_at,
};
use crate::problem::Problem;
use crate::short_text::ShortText;
use crate::spec::ElementSpec;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// One, or a list of them.
pub(crate) struct OneOrMany<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}

/// Written out, because an untagged enum forgets which key was wrong.
struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one, or a list")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        T::deserialize(text.into_deserializer()).map(|one| OneOrMany(vec![one]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|one| OneOrMany(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMany)
    }
}

/// A place and what it means.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocationTable {
    /// An element or the path of a part; several are joined.
    at: OneOrMany<String>,
    from: Option<usize>,
    length: Option<usize>,
    /// What yes looks like.
    #[serde(default)]
    is: Vec<String>,
    /// What the values of the wire are here.
    #[serde(default)]
    values: BTreeMap<String, String>,
    /// What every other value is.
    other: Option<String>,
    when: Option<ConditionTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionTable {
    at: String,
    from: Option<usize>,
    length: Option<usize>,
    is: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdditionalAmountsTable {
    at: u8,
    #[serde(default = "ledger")]
    ledger: String,
    #[serde(default = "available")]
    available: String,
    #[serde(default = "cashback")]
    cashback: String,
    #[serde(default = "original")]
    original: String,
}

fn ledger() -> String {
    "01".into()
}

fn available() -> String {
    "02".into()
}

fn cashback() -> String {
    "40".into()
}

fn original() -> String {
    "57".into()
}

type Entry = Option<OneOrMany<LocationTable>>;

/// The whole section; one key for each thing that can have a place.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocationsTable {
    cvv2_result: Entry,
    avs_result: Entry,
    three_d_secure: Entry,
    authentication_value_result: Entry,
    pin_result: Entry,
    cryptogram_result: Entry,
    purpose: Entry,
    initiator: Entry,
    presence: Entry,
    message_class: Entry,
    partial_approval: Entry,
    balances_wanted: Entry,
    incremental: Entry,
    final_clearing: Entry,
    eci: Entry,
    entry_mode: Entry,
    merchant_category: Entry,
    network_reference: Entry,
    risk_score: Entry,
    acquirer_reference: Entry,
    clearing_sequence: Entry,
    clearing_count: Entry,
    original_mti: Entry,
    original_stan: Entry,
    original_transmission: Entry,
    original_local_time: Entry,
    original_acquirer: Entry,
    original_amount: Entry,
    new_total: Entry,
    additional_amounts: Option<AdditionalAmountsTable>,
    response_detail: Option<u8>,
}

impl LocationsTable {
    const fn word(&self, word: WordAt) -> &Entry {
        match word {
            WordAt::Cvv2Result => &self.cvv2_result,
            WordAt::AvsResult => &self.avs_result,
            WordAt::ThreeDSecure => &self.three_d_secure,
            WordAt::AuthenticationValueResult => &self.authentication_value_result,
            WordAt::PinResult => &self.pin_result,
            WordAt::CryptogramResult => &self.cryptogram_result,
            WordAt::Purpose => &self.purpose,
            WordAt::Initiator => &self.initiator,
            WordAt::Presence => &self.presence,
            WordAt::MessageClass => &self.message_class,
        }
    }

    const fn flag(&self, flag: FlagAt) -> &Entry {
        match flag {
            FlagAt::PartialApproval => &self.partial_approval,
            FlagAt::BalancesWanted => &self.balances_wanted,
            FlagAt::Incremental => &self.incremental,
            FlagAt::FinalClearing => &self.final_clearing,
        }
    }

    const fn text(&self, text: TextAt) -> &Entry {
        match text {
            TextAt::Eci => &self.eci,
            TextAt::EntryMode => &self.entry_mode,
            TextAt::MerchantCategory => &self.merchant_category,
            TextAt::NetworkReference => &self.network_reference,
            TextAt::RiskScore => &self.risk_score,
            TextAt::AcquirerReference => &self.acquirer_reference,
            TextAt::ClearingSequence => &self.clearing_sequence,
            TextAt::ClearingCount => &self.clearing_count,
            TextAt::OriginalMti => &self.original_mti,
            TextAt::OriginalStan => &self.original_stan,
            TextAt::OriginalTransmission => &self.original_transmission,
            TextAt::OriginalLocalTime => &self.original_local_time,
            TextAt::OriginalAcquirer => &self.original_acquirer,
            TextAt::OriginalAmount => &self.original_amount,
            TextAt::NewTotal => &self.new_total,
        }
    }
}

/// What a thing's characters may mean.
#[derive(Clone, Copy)]
enum Kind {
    Word(WordAt),
    Flag,
    Text,
}

/// Compiles the section; `find` gives what the dialect lists. Every wrong place is named.
pub(crate) fn compile_locations<'a>(
    table: &LocationsTable,
    find: impl Fn(u8) -> Option<&'a ElementSpec>,
) -> Result<Locations, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut compile = |key: &str, entry: &Entry, kind: Kind| -> Alternatives {
        let tables = entry.iter().flat_map(|entry| &entry.0);
        let compiled = tables.filter_map(|table| match compile_alternative(table, kind, &find) {
            Ok(alternative) => Some(alternative),
            Err(problem) => {
                problems.push(problem.inside(key));
                None
            }
        });
        Alternatives::new(compiled.collect())
    };
    let words =
        WordAt::ALL.iter().map(|word| compile(word.key(), table.word(*word), Kind::Word(*word))).collect();
    let flags = FlagAt::ALL.iter().map(|flag| compile(flag.key(), table.flag(*flag), Kind::Flag)).collect();
    let texts: Vec<Alternatives> =
        TextAt::ALL.iter().map(|text| compile(text.key(), table.text(*text), Kind::Text)).collect();
    let additional_amounts = table.additional_amounts.as_ref().and_then(|table| {
        let compiled = compile_additional_amounts(table, &find);
        compiled.map_err(|problem| problems.push(problem.inside("additional_amounts"))).ok()
    });
    let response_detail = table.response_detail.and_then(|de| match find(de).and_then(room_for_text) {
        Some(room) => Some((de, room)),
        None => {
            let allowed = "an element with room for characters";
            problems.push(Problem::new("response_detail", de.to_string(), allowed));
            None
        }
    });
    let original_in = original_in(&texts);
    if problems.is_empty() {
        Ok(Locations { words, flags, texts, original_in, additional_amounts, response_detail })
    } else {
        Err(problems)
    }
}

/// The elements of which one must be there for a message to name the one that it follows.
fn original_in(texts: &[Alternatives]) -> Bitmap {
    let parts = [
        TextAt::OriginalMti,
        TextAt::OriginalStan,
        TextAt::OriginalTransmission,
        TextAt::OriginalLocalTime,
        TextAt::OriginalAcquirer,
    ];
    let found = parts.iter().filter_map(|part| texts.get(*part as usize));
    found.fold(Bitmap::default(), |all, alternatives| all.or(alternatives.any_of()))
}

/// How many characters an element of text holds.
fn room_for_text(spec: &ElementSpec) -> Option<usize> {
    characters_max(spec).filter(|_| spec.content.pads_with_spaces() && !spec.is_composite())
}

fn compile_additional_amounts<'a>(
    table: &AdditionalAmountsTable,
    find: impl Fn(u8) -> Option<&'a ElementSpec>,
) -> Result<AdditionalAmounts, Problem> {
    if find(table.at).and_then(room_for_text).is_none() {
        let allowed = "an element with room for characters";
        return Err(Problem::new("at", table.at.to_string(), allowed));
    }
    for (key, code) in [
        ("ledger", &table.ledger),
        ("available", &table.available),
        ("cashback", &table.cashback),
        ("original", &table.original),
    ] {
        if code.len() != 2 || !code.bytes().all(|character| character.is_ascii_digit()) {
            return Err(Problem::new(key, code, "two digits"));
        }
    }
    Ok(AdditionalAmounts {
        de: table.at,
        ledger: table.ledger.as_str().into(),
        available: table.available.as_str().into(),
        cashback: table.cashback.as_str().into(),
        original: table.original.as_str().into(),
    })
}

fn compile_alternative<'a>(
    table: &LocationTable,
    kind: Kind,
    find: impl Fn(u8) -> Option<&'a ElementSpec>,
) -> Result<Alternative, Problem> {
    let meaning = compile_meaning(table, kind)?;
    let is_presence =
        matches!(&meaning, Meaning::Word { values, .. } if values.is_empty()) && table.length.is_none();
    let joined = table.at.0.len() > 1;
    if table.at.0.is_empty() || joined && (table.from.is_some() || table.length.is_some()) {
        return Err(Problem::new("at", "several", "one place, or several whole ones"));
    }
    let mut are_on_wire = true;
    let places = table.at.0.iter().map(|at| {
        let (place, spec) = compile_place(at, table.from, table.length, is_presence || joined, &find)?;
        if matches!(kind, Kind::Text) && spec.is_sensitive() {
            return Err(Problem::new(
                "at",
                at,
                "a place that is not masked: what is read as a text may be kept",
            ));
        }
        are_on_wire &= place.path.is_empty() && spec.encoding == Encoding::Ascii;
        Ok(place)
    });
    let places = places.collect::<Result<Box<[Place]>, _>>()?;
    let when = table.when.as_ref().map(|when| {
        let inside = |problem: Problem| problem.inside("when");
        let (place, _) = compile_place(&when.at, when.from, when.length, false, &find).map_err(inside)?;
        let is = when.is.iter().map(|value| Code::new(value)).collect();
        Ok(Condition { place, is })
    });
    let when = when.transpose()?;
    let is_plain = are_on_wire && places.len() == 1 && when.is_none();
    Ok(Alternative { places, when, meaning, is_plain })
}

fn compile_meaning(table: &LocationTable, kind: Kind) -> Result<Meaning, Problem> {
    let refuse = |key: &str, given: bool, allowed: &str| {
        if given { Err(Problem::new(key, "it", allowed)) } else { Ok(()) }
    };
    match kind {
        Kind::Flag => {
            refuse("values", !table.values.is_empty(), "is, with the values that mean yes")?;
            refuse("other", table.other.is_some(), "is, with the values that mean yes")?;
            if table.is.is_empty() {
                return Err(Problem::new("is", "nothing", "the values that mean yes"));
            }
            Ok(Meaning::Flag { is: table.is.iter().map(|value| Code::new(value)).collect() })
        }
        Kind::Text => {
            refuse("is", !table.is.is_empty(), "values, for what is read as something else")?;
            refuse("other", table.other.is_some(), "values, for what is read as something else")?;
            let values = table.values.iter().map(|(from, to)| (Code::new(from), to.as_str().into()));
            Ok(Meaning::Text { values: values.collect() })
        }
        Kind::Word(word) => {
            refuse("is", !table.is.is_empty(), "values, with a word for each")?;
            if table.values.is_empty() && table.other.is_none() {
                return Err(Problem::new("values", "nothing", "a word for each value, or other"));
            }
            let known = |key: &str, found: &str| {
                let listed = word.words().iter().find(|listed| **listed == found);
                listed.copied().ok_or_else(|| Problem::new(key, found, word.words().join(", ")))
            };
            let values = table.values.iter().map(|(from, to)| {
                let to = known(from, to).map_err(|problem| problem.inside("values"))?;
                Ok((Code::new(from), to))
            });
            let other = table.other.as_deref().map(|found| known("other", found)).transpose()?;
            Ok(Meaning::Word { values: values.collect::<Result<_, _>>()?, other })
        }
    }
}

/// A place, and what the dialect says of the element or part there. Of a place that is only looked for, any length will do.
fn compile_place<'a>(
    at: &str,
    from: Option<usize>,
    length: Option<usize>,
    is_presence: bool,
    find: impl Fn(u8) -> Option<&'a ElementSpec>,
) -> Result<(Place, &'a ElementSpec), Problem> {
    let (number, path) = at.split_once('.').unwrap_or((at, ""));
    let spec = number.parse().ok().and_then(find);
    let spec = spec.ok_or_else(|| Problem::new("at", at, "elements that the dialect lists"))?;
    let part = part_at(spec, path).map_err(|_| Problem::new("at", at, "parts that the dialect lists"))?;
    let max = characters_max(part);
    let in_place = |count: usize| count >= 1 && max.is_none_or(|max| count <= max);
    let first = from.unwrap_or(1);
    let bound = max.map_or("any number".to_owned(), |max| max.to_string());
    if !in_place(first) {
        return Err(Problem::new("from", first.to_string(), format!("a position, 1 to {bound}")));
    }
    let room = max.map(|max| max - (first - 1));
    let fits =
        |length: usize| (1..=ShortText::MAX).contains(&length) && room.is_none_or(|room| length <= room);
    match length {
        Some(length) if !fits(length) => {
            let most = room.unwrap_or(ShortText::MAX).min(ShortText::MAX);
            return Err(Problem::new("length", length.to_string(), format!("1 to {most}")));
        }
        None if !is_presence && !room.is_some_and(fits) => {
            let allowed = format!("a length, 1 to {}", ShortText::MAX);
            return Err(Problem::new("length", format!("up to {bound} characters"), allowed));
        }
        Some(_) | None => {}
    }
    Ok((Place { de: spec.number(), path: path.into(), from: first - 1, length }, part))
}
