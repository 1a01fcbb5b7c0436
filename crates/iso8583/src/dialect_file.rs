//! A dialect as written in TOML, checked and compiled into element tables.
//!
//! Guarantees that an error names the file, the line, the key, what was found and what is allowed.
//! An unknown key fails: a misspelt key that is silently ignored is a message misread in production.

use crate::bitmap::{BitmapEncoding, BitmapFormat, BitmapLayout};
use crate::dialect_error::{DialectError, Document};
use crate::element_file::{Site, compile_element, keyless};
use crate::element_table::{Defaults, ElementTable};
use crate::encoding::Encoding;
use crate::header::HeaderFormat;
use crate::location_file::{LocationsTable, compile_locations};
use crate::locations::Locations;
use crate::mti::Mti;
use crate::mti_encoding::MtiEncoding;
use crate::network_management::{NetworkManagement, NetworkManagementTable, compile_network_management};
use crate::problem::Problem;
use crate::rules::{MessageRules, MessageTable, ResponseCodes, check_classes, compile_rules};
use crate::spec::ElementSpec;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DialectFile {
    name: String,
    header: Option<HeaderTable>,
    mti: MtiTable,
    bitmap: BitmapTable,
    #[serde(default)]
    defaults: Defaults,
    elements: BTreeMap<String, ElementTable>,
    #[serde(default)]
    messages: BTreeMap<String, MessageTable>,
    response_codes: Option<BTreeMap<String, String>>,
    network_management: Option<NetworkManagementTable>,
    locations: Option<LocationsTable>,
}

/// What stands before the MTI.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderTable {
    kind: HeaderKind,
    encoding: Option<Encoding>,
    value: Option<String>,
}

#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum HeaderKind {
    Fixed,
    Tpdu,
    BaseI,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MtiTable {
    encoding: MtiEncoding,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BitmapTable {
    encoding: BitmapEncoding,
    secondary_encoding: Option<BitmapEncoding>,
    #[serde(default)]
    layout: BitmapLayout,
}

/// The compiled parts of a dialect.
pub(crate) struct Compiled {
    pub(crate) name: Box<str>,
    pub(crate) header: HeaderFormat,
    pub(crate) mti: MtiEncoding,
    pub(crate) bitmap: BitmapFormat,
    pub(crate) elements: Vec<ElementSpec>,
    pub(crate) rules: Vec<(Mti, MessageRules)>,
    pub(crate) response_codes: ResponseCodes,
    pub(crate) network_management: Option<NetworkManagement>,
    pub(crate) locations: Locations,
}

/// Reads and checks a dialect file.
pub(crate) fn compile(text: &str, origin: &str) -> Result<Compiled, DialectError> {
    let file: DialectFile = toml::from_str(text).map_err(|error| DialectError::Syntax {
        origin: origin.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    })?;
    let bitmap = BitmapFormat {
        encoding: file.bitmap.encoding,
        next_encoding: file.bitmap.secondary_encoding.unwrap_or(file.bitmap.encoding),
        layout: file.bitmap.layout,
    };
    let mut document = Document::new(text, origin);
    let header =
        file.header.as_ref().map(|table| document.keep(compile_header(table), "header").unwrap_or_default());
    let elements = compile_elements(&file, bitmap, &mut document);
    let rules = compile_all_rules(&file, &elements, &mut document);
    let response_codes = compile_response_codes(&file, &elements, &mut document);
    let network_management = file.network_management.as_ref().and_then(|table| {
        let find = |de: u8| elements.iter().find(|spec| spec.de == de);
        document.keep(compile_network_management(table, find), "network_management")
    });
    let locations = file.locations.as_ref().map(|table| {
        let find = |de: u8| elements.iter().find(|spec| spec.de == de);
        document.keep_all(compile_locations(table, find), "locations").unwrap_or_default()
    });
    let locations = locations.unwrap_or_default();
    let (name, mti) = (file.name.into(), file.mti.encoding);
    let header = header.unwrap_or_default();
    document.finish(Compiled {
        name,
        header,
        mti,
        bitmap,
        elements,
        rules,
        response_codes,
        network_management,
        locations,
    })
}

fn compile_elements(
    file: &DialectFile,
    bitmap: BitmapFormat,
    document: &mut Document<'_>,
) -> Vec<ElementSpec> {
    let compile = |key: &str, table: &ElementTable| {
        let site = Site { de: element_number(key, bitmap)?, enclosed: false, sensitive: false };
        keyless(table)?;
        compile_element(table, &file.defaults, site)
    };
    let elements = file
        .elements
        .iter()
        .filter_map(|(key, table)| document.keep(compile(key, table), &format!("elements.{key}")));
    elements.collect()
}

fn compile_all_rules(
    file: &DialectFile,
    elements: &[ElementSpec],
    document: &mut Document<'_>,
) -> Vec<(Mti, MessageRules)> {
    // An element with an error of its own is listed all the same; one error is enough.
    let is_listed =
        |de: u8| elements.iter().any(|spec| spec.de == de) || file.elements.contains_key(&de.to_string());
    let rules = file.messages.iter().filter_map(|(key, table)| {
        document.keep(compile_rules(key, table, is_listed), &format!("messages.{key}"))
    });
    rules.collect()
}

fn compile_response_codes(
    file: &DialectFile,
    elements: &[ElementSpec],
    document: &mut Document<'_>,
) -> ResponseCodes {
    let Some(table) = &file.response_codes else { return ResponseCodes::new() };
    document.keep(check_classes(|word| table.contains_key(word)), "response_codes");
    // Where DE 39 has an error of its own, every code would have one too.
    let is_checkable = elements.iter().any(|spec| spec.de == 39) || !file.elements.contains_key("39");
    let codes = table.iter().filter(|_| is_checkable).filter_map(|(word, code)| {
        document.keep(check_response_code(code, elements), &format!("response_codes.{word}"))?;
        Some((word.as_str().into(), code.as_str().into()))
    });
    codes.collect()
}

/// A code must fit DE 39, so that no answer fails for it.
fn check_response_code(code: &str, elements: &[ElementSpec]) -> Result<(), Problem> {
    let Some(spec) = elements.iter().find(|spec| spec.de == 39) else {
        return Err(Problem::new("", code, "response codes where DE 39 is listed"));
    };
    spec.write_text(code.as_bytes(), &mut Vec::new())
        .map_err(|fault| Problem::new("", code, format!("what DE 39 can hold: {fault}")))
}

fn compile_header(table: &HeaderTable) -> Result<HeaderFormat, Problem> {
    let text = match (table.kind, &table.value) {
        (HeaderKind::Fixed, Some(text)) => text.as_bytes(),
        (HeaderKind::Fixed, None) => {
            return Err(Problem::new("value", "nothing", "the bytes of a fixed header"));
        }
        (HeaderKind::Tpdu | HeaderKind::BaseI, None) if table.encoding.is_none() => {
            return Ok(if table.kind == HeaderKind::Tpdu { HeaderFormat::Tpdu } else { HeaderFormat::BaseI });
        }
        (HeaderKind::Tpdu | HeaderKind::BaseI, _) => {
            return Err(Problem::new("kind", "value or encoding", "these for a fixed header only"));
        }
    };
    let encoding = table.encoding.unwrap_or(Encoding::Ascii);
    let value = match encoding {
        Encoding::Ascii if text.is_ascii() => Some(text.to_vec()),
        Encoding::Ebcdic(page) if text.is_ascii() => {
            Some(text.iter().map(|character| page.to_ebcdic(*character)).collect())
        }
        Encoding::Binary => const_hex::decode(text).ok(),
        Encoding::Ascii | Encoding::Ebcdic(_) | Encoding::Bcd | Encoding::Hex => None,
    };
    let allowed = "characters in ascii, ebcdic-500 or ebcdic-1047, or hexadecimal digits of binary";
    match value {
        Some(value) => Ok(HeaderFormat::Fixed { value: value.into(), encoding }),
        None => Err(Problem::new("value", format!("{:?}", String::from_utf8_lossy(text)), allowed)),
    }
}

fn element_number(key: &str, bitmap: BitmapFormat) -> Result<u8, Problem> {
    let last = bitmap.last_element();
    key.parse()
        .ok()
        .filter(|de| bitmap.can_name(*de))
        .ok_or_else(|| Problem::new("", key, format!("a data element, 2 to {last}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HEAD: &str =
        "name = \"t\"\nmti = { encoding = \"ascii\" }\nbitmap = { encoding = \"hex\" }\n[elements]\n";

    fn error_of(elements: &str) -> String {
        compile(&format!("{HEAD}{elements}"), "t.toml").err().unwrap().to_string()
    }

    #[test]
    fn errors_name_line_key_found_and_allowed() {
        for (elements, expected) in [
            (
                "3 = { name = \"a\", content = \"n\", length = 6 }\n129 = { name = \"b\", content = \"n\", length = 6 }",
                "t.toml, line 6: elements.129: found 129, allowed: a data element, 2 to 128",
            ),
            (
                "2 = { name = \"a\", content = \"n\", prefix = \"LL\", max = 100 }",
                "t.toml, line 5: elements.2.max: found 100, allowed: 0 to 99",
            ),
            (
                "2 = { name = \"a\", content = \"n\", prefix = \"LL\" }",
                "t.toml, line 5: elements.2.max: found nothing, allowed: the largest length, beside every prefix",
            ),
            (
                "2 = { name = \"a\", content = \"n\" }",
                "t.toml, line 5: elements.2.length: found nothing, allowed: either length or prefix",
            ),
            (
                "2 = { name = \"a\", content = \"ans\", length = 3, encoding = \"bcd\" }",
                "t.toml, line 5: elements.2.encoding: found BCD, allowed: bcd for digits, hexadecimal digits and tracks only",
            ),
            (
                "52 = { name = \"a\", content = \"b\", length = 15, encoding = \"hex\" }",
                "t.toml, line 5: elements.52.length: found 15, allowed: an even number",
            ),
        ] {
            assert_eq!(error_of(elements), expected);
        }
    }

    #[test]
    fn every_wrong_value_is_named_in_one_run() {
        let element = "name = \"a\", content = \"n\"";
        let text = format!(
            "2 = {{ {element} }}\n3 = {{ {element}, length = 6 }}\n4 = {{ {element}, prefix = \"L\", max = 10 }}\n[messages.0100]\nmandatory = [2, 5]"
        );
        assert_eq!(
            error_of(&text).lines().collect::<Vec<_>>(),
            [
                "t.toml, line 5: elements.2.length: found nothing, allowed: either length or prefix",
                "t.toml, line 7: elements.4.max: found 10, allowed: 0 to 9",
                "t.toml, line 9: messages.0100.mandatory: found 5, allowed: elements that the dialect lists",
            ]
        );
    }

    #[test]
    fn an_error_in_a_part_names_the_way_to_it() {
        let composite = "[elements.48]\nname = \"a\"\ncontent = \"b\"\nlength = 9\n";
        let tagged = "tag_width = 2, tag_encoding = \"ascii\", size = \"LL\", size_encoding = \"ascii\"";
        let part = "name = \"p\", content = \"n\"";
        for (parts, expected) in [
            ("parts = {}".to_owned(), "parts: found no parts, allowed: order, ber_tlv, tagged or bitmap"),
            (
                format!(
                    "parts = {{ ber_tlv = {{}}, bitmap = {{ bytes = 8, bits.1 = {{ {part}, length = 1 }} }} }}"
                ),
                "parts: found several, allowed: one of ber_tlv, tagged and bitmap",
            ),
            (
                format!("parts.order = [{{ {part}, length = 1 }}]"),
                "parts.order.key: found nothing, allowed: a key for every part in order",
            ),
            (
                format!("parts.order = [{{ key = \"x\", {part} }}, {{ key = \"y\", {part}, length = 1 }}]"),
                "parts.order.x.length: found nothing, allowed: either length or prefix",
            ),
            (
                format!("parts.tagged = {{ {tagged}, tags.123 = {{ {part} }} }}"),
                "parts.tagged.tags.123: found 123, allowed: hexadecimal digits of a whole tag, \
                 or characters of the tag's width",
            ),
            (
                format!("parts.ber_tlv.tags = {{ 9F = {{ {part} }} }}"),
                "parts.ber_tlv.tags.9F: found 9F, allowed: hexadecimal digits of a whole tag, \
                 or characters of the tag's width",
            ),
            (
                format!("parts.bitmap = {{ bytes = 1, bits.9 = {{ {part}, length = 1 }} }}"),
                "parts.bitmap.bits.9: found 9, allowed: a bit, 1 to 8",
            ),
            (
                "parts.bitmap = { bytes = 25, bits = {} }".to_owned(),
                "parts.bitmap.bytes: found 25, allowed: 1 to 24",
            ),
        ] {
            assert_eq!(
                error_of(&format!("{composite}{parts}")),
                format!("t.toml, line 9: elements.48.{expected}")
            );
        }
    }

    #[test]
    fn rules_and_codes_speak_only_of_what_the_dialect_has() {
        let element = "3 = { name = \"a\", content = \"n\", length = 6 }\n39 = { name = \"b\", content = \"an\", length = 2 }\n";
        for (rest, expected) in [
            (
                "[messages.0100]\nmandatory = [3, 4]",
                "t.toml, line 8: messages.0100.mandatory: found 4, allowed: elements that the dialect lists",
            ),
            (
                "[messages.0101]\necho = [3]",
                "t.toml, line 7: messages.0101: found 0101, allowed: four digits of a message that is not a repeat",
            ),
            (
                "[response_codes]\napproved = \"00\"\ndecline = \"05\"\nformat_error = \"30\"\nnot_served = \"12\"\n\
                 unavailable = \"91\"\nwrong_mac = \"63\"\nexpired = \"1001\"",
                "t.toml, line 14: response_codes.expired: found 1001, allowed: what DE 39 can hold: \
                 length 4 exceeds the maximum of 2 characters",
            ),
            (
                "[response_codes]\napproved = \"00\"",
                "t.toml, line 7: response_codes.decline: found nothing, allowed: a code for every class of answers",
            ),
        ] {
            assert_eq!(error_of(&format!("{element}{rest}")), expected);
        }
    }

    #[test]
    fn an_unknown_key_fails_with_its_line_and_the_known_ones() {
        let error = error_of("2 = { name = \"a\", content = \"n\", lenght = 3 }");
        for part in ["t.toml", "line 5", "lenght", "`length`"] {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    }

    #[test]
    fn an_unknown_value_fails_with_its_line_and_the_known_ones() {
        let error = error_of("2 = { name = \"a\", content = \"num\", length = 3 }");
        for part in ["line 5", "num", "`n`", "`ans`"] {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    }
}
