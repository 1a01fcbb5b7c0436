//! The page on dialect files is true: every example on it compiles, and every shipped file is on it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use iso8583::{Dialect, SHIPPED};

const PAGE: &str = include_str!("../../../config/dialects/README.md");

#[test]
fn every_example_compiles() {
    let blocks: Vec<&str> =
        PAGE.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 13);
    for block in blocks {
        let text = support::whole_dialect(block);
        Dialect::from_toml(&text, "README.md").unwrap_or_else(|error| panic!("{error}\n{text}"));
    }
}

#[test]
fn every_shipped_file_is_on_the_page_and_has_the_name_of_its_file() {
    for (name, text) in SHIPPED {
        assert!(PAGE.contains(&format!("`{name}.toml`")), "{name}");
        assert_eq!(Dialect::from_toml(text, name).unwrap().name(), name);
        let page = format!("{}/../../config/dialects/{name}.md", env!("CARGO_MANIFEST_DIR"));
        let page = std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(page.starts_with(&format!("# {name}\n")) && page.contains("| how sure |"), "{name}");
        assert!(PAGE.contains(&format!("({name}.md)")), "{name}");
    }
}
