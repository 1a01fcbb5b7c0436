//! The page on dialect files is true: every example on it compiles, and every shipped file is on it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use iso8583::{Dialect, SHIPPED};

const PAGE: &str = include_str!("../../../config/dialects/README.md");

const HEAD: &str = "name = \"t\"\nmti = { encoding = \"ascii\" }\nbitmap = { encoding = \"hex\" }\n";

#[test]
fn every_example_compiles() {
    let blocks: Vec<&str> =
        PAGE.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 13);
    for block in blocks {
        let text = match block.chars().next() {
            Some('n') => block.to_owned(),
            Some('[') => format!("{HEAD}{block}"),
            _ => format!("{HEAD}[elements]\n{block}"),
        };
        Dialect::from_toml(&text, "README.md").unwrap_or_else(|error| panic!("{error}\n{text}"));
    }
}

#[test]
fn every_shipped_file_is_on_the_page_and_has_the_name_of_its_file() {
    for (name, text) in SHIPPED {
        assert!(PAGE.contains(&format!("`{name}.toml`")), "{name}");
        assert_eq!(Dialect::from_toml(text, name).unwrap().name(), name);
    }
}
