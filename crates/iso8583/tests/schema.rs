//! The schema of dialect files: what it allows is what is read, and nothing else.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "support/schema.rs"]
mod schema;
mod support;

use iso8583::{Dialect, SHIPPED};
use schema::Schema;
use serde_json::Value as Json;

fn schema() -> Schema {
    Schema::new(include_str!("../../../config/dialects/schema.json"))
}

const PAGE: &str = include_str!("../../../config/dialects/README.md");

fn json(text: &str) -> Json {
    serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
}

#[test]
fn every_shipped_and_every_test_dialect_fits_the_schema() {
    let schema = schema();
    for (name, text) in SHIPPED {
        assert_eq!(schema.faults(&json(text)), Vec::<String>::new(), "{name}");
    }
    for name in support::TEST_DIALECTS {
        assert_eq!(schema.faults(&json(&support::text(name))), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn every_example_of_the_page_fits_the_schema() {
    let schema = schema();
    for block in PAGE.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap()) {
        let text = support::whole_dialect(block);
        assert_eq!(schema.faults(&json(&text)), Vec::<String>::new(), "{text}");
    }
}

/// A dialect with every table in it, and a line in each where a key can be put.
const EVERYTHING: &str = r#"
name = "t"
#top
[header]
kind = "tpdu"
#header
[mti]
encoding = "ascii"
#mti
[bitmap]
encoding = "hex"
#bitmap
[defaults]
#defaults
[elements.39]
name = "a"
content = "an"
length = 2
#element
[elements.44]
name = "b"
content = "ans"
length = 20
[elements.55]
name = "c"
content = "b"
prefix = "LLL"
max = 255
[elements.55.parts]
#parts
[elements.55.parts.ber_tlv]
#ber_tlv
[elements.62]
name = "d"
content = "b"
prefix = "LLL"
max = 255
[elements.62.parts.bitmap]
bytes = 1
#nested_bitmap
[elements.62.parts.bitmap.bits.1]
name = "e"
content = "an"
length = 1
[elements.48]
name = "f"
content = "ans"
prefix = "LLL"
max = 99
[elements.48.parts.tagged]
tag_width = 2
tag_encoding = "ascii"
size = "LL"
size_encoding = "ascii"
#tagged
[messages.0800]
#message
[network_management]
mti = "0800"
element = 39
#network_management
[locations]
#locations
[locations.purpose]
at = "44"
length = 1
other = "sale"
#purpose
[locations.eci]
at = "39"
#text
[locations.eci.when]
at = "44"
length = 1
is = []
#condition
[locations.incremental]
at = "44"
length = 1
is = ["1"]
#flag
[locations.additional_amounts]
at = 44
#additional_amounts
"#;

/// The places above, and the schema of the table that each is in.
fn tables(schema: &Schema) -> Vec<(&'static str, &Json)> {
    let top = &schema.root()["properties"];
    let definition = |name: &'static str| (name, schema.definition(name));
    vec![
        ("top", schema.root()),
        ("header", &top["header"]),
        ("mti", &top["mti"]),
        ("bitmap", &top["bitmap"]),
        ("defaults", &top["defaults"]),
        definition("element"),
        definition("parts"),
        definition("ber_tlv"),
        definition("nested_bitmap"),
        definition("tagged"),
        ("message", &top["messages"]["additionalProperties"]),
        ("network_management", &top["network_management"]),
        ("locations", &top["locations"]),
        definition("purpose"),
        definition("text"),
        definition("condition"),
        definition("flag"),
        ("additional_amounts", &top["locations"]["properties"]["additional_amounts"]),
    ]
}

#[test]
fn the_schema_has_every_key_that_is_read_and_no_other() {
    let schema = schema();
    Dialect::from_toml(EVERYTHING, "t").unwrap();
    assert_eq!(schema.faults(&json(EVERYTHING)), Vec::<String>::new());
    for (place, table) in tables(&schema) {
        let text = EVERYTHING.replace(&format!("#{place}\n"), "no_such_key = 1\n");
        assert_ne!(text, EVERYTHING, "{place}");
        let error = Dialect::from_toml(&text, "t.toml").unwrap_err().to_string();
        let line = 1 + text.lines().position(|line| line.starts_with("no_such_key")).unwrap();
        assert!(error.contains(&format!("line {line}")), "{place}: {error}");
        assert!(error.contains("unknown field `no_such_key`"), "{place}: {error}");
        let known = error.split_once("expected ").unwrap().1;
        let mut read: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        let mut listed: Vec<&str> =
            table["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        // One kind of table serves words, flags and texts; what does not belong is refused when it is compiled.
        if let "purpose" | "text" | "flag" = place {
            read.retain(|key| listed.contains(key));
        }
        read.sort_unstable();
        listed.sort_unstable();
        assert_eq!(read, listed, "{place}");
        let faults = schema.faults(&json(&text));
        assert!(faults.iter().any(|fault| fault.contains("no_such_key: unknown key")), "{place}: {faults:?}");
    }
}

#[test]
fn the_schema_has_every_value_that_is_read_and_no_other() {
    let schema = schema();
    let element = &schema.definition("element")["properties"];
    let definition = |name: &str| schema.definition(name)["enum"].clone();
    for (from, to, allowed) in [
        ("content = \"ans\"", "content = \"?\"", element["content"]["enum"].clone()),
        ("length = 2", "length = 2\nunit = \"?\"", element["unit"]["enum"].clone()),
        ("length = 2", "length = 2\nencoding = \"?\"", definition("encoding")),
        ("length = 2", "length = 2\npad = \"?\"", definition("pad")),
        ("prefix = \"LLL\"", "prefix = \"?\"", definition("prefix")),
        ("size_encoding = \"ascii\"", "size_encoding = \"?\"", definition("prefix_encoding")),
        ("encoding = \"hex\"", "encoding = \"?\"", definition("bitmap_encoding")),
        (
            "#bitmap\n",
            "layout = \"?\"\n",
            schema.root()["properties"]["bitmap"]["properties"]["layout"]["enum"].clone(),
        ),
        ("#network_management\n", "keep_alive = \"?\"\n", definition("empty_frame")),
        (
            "kind = \"tpdu\"",
            "kind = \"?\"",
            schema.root()["properties"]["header"]["properties"]["kind"]["enum"].clone(),
        ),
        (
            "[mti]\nencoding = \"ascii\"",
            "[mti]\nencoding = \"?\"",
            schema.root()["properties"]["mti"]["properties"]["encoding"]["enum"].clone(),
        ),
    ] {
        let text = EVERYTHING.replacen(from, to, 1);
        let error = Dialect::from_toml(&text, "t.toml").unwrap_err().to_string();
        let known = error.split_once("expected ").unwrap().1;
        let mut read: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        let mut listed: Vec<&str> =
            allowed.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect();
        read.sort_unstable();
        read.dedup();
        listed.sort_unstable();
        assert_eq!(read, listed, "{to}: {error}");
        assert!(!schema.faults(&json(&text)).is_empty(), "{to}");
    }
}

#[test]
fn the_schema_has_the_words_and_things_of_the_code() {
    let schema = schema();
    for word in iso8583::WordAt::ALL {
        let listed = &schema.definition(word.key())["properties"]["other"]["enum"];
        assert_eq!(*listed, serde_json::to_value(word.words()).unwrap(), "{}", word.key());
    }
    let classes = schema.root()["properties"]["response_codes"]["required"].as_array().unwrap();
    for class in iso8583::ResponseClass::ALL {
        assert!(classes.contains(&class.word().into()), "{class:?}");
    }
}
