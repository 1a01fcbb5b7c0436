//! The table of faults says what is there: every test that it names exists.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const TABLE: &str = include_str!("../src/faults.rs");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of the table: fault, promise, what shows it.
fn rows() -> Vec<[&'static str; 3]> {
    let lines = TABLE.lines().filter_map(|line| line.strip_prefix("//! | ")?.strip_suffix(" |"));
    let cells = lines.skip(1).map(|line| line.split(" | ").collect::<Vec<_>>());
    cells.map(|cells| cells.try_into().unwrap_or_else(|cells| panic!("not three cells: {cells:?}"))).collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Where a file that the table names may lie: in the root, in this crate, beside the crash tests, or in another crate.
fn is_there(file: &str) -> bool {
    ["", "crates", "crates/journal", "crates/journal/src/crash_tests"]
        .iter()
        .any(|folder| root().join(folder).join(file).is_file())
}

/// Every function below a folder that is a test.
fn tests_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            for after in text.split("#[test]").skip(1) {
                let name = after.split("fn ").nth(1).and_then(|rest| rest.split('(').next());
                found.extend(name.map(str::to_owned));
            }
        }
    }
}

#[test]
fn every_test_that_the_table_names_exists() {
    let mut tests = BTreeSet::new();
    tests_below(&root().join("crates/journal"), &mut tests);
    let mut named = 0;
    for name in rows().iter().flat_map(|[_, _, shown_by]| quoted(shown_by)) {
        let exists = if name.ends_with(".rs") { is_there(name) } else { tests.contains(name) };
        assert!(exists, "the table names {name}, which is not there");
        named += 1;
    }
    assert!(named > 40, "only {named} names were found");
}

#[test]
fn a_row_that_no_test_shows_says_so() {
    for [fault, _, shown_by] in rows() {
        let shown = shown_by.contains("*schedules*") || quoted(shown_by).next().is_some();
        assert!(shown != shown_by.starts_with("no test"), "{fault}: {shown_by}");
    }
}

#[test]
fn the_table_counts_the_planted_bugs_right() {
    let script = std::fs::read_to_string(root().join("crates/journal/tests/planted_bugs.py")).unwrap();
    let list = script.split("\nBUGS = [").nth(1).unwrap().split("\n]\n").next().unwrap();
    // Each begins on a line of its own; what it goes on with is indented further.
    let bugs = list.lines().filter(|line| line.starts_with("    (\"")).count();
    assert_eq!(bugs, 35);
    assert!(TABLE.contains("breaks the code in thirty-five ways"));
}
