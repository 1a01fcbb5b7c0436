//! Checks of the code itself: what the compiler does not enforce and the house has promised.
//!
//! Each check returns its findings, one a line, with file and line. The promises: every module says what it is
//! for; no file is too long to read; nothing is left undone; the pure crates read no clock, touch no disk or
//! network and use no float; crates and modules depend in one direction. It reads sources as text, so it can be
//! fooled on purpose; it is there for mistakes.

mod modules;

pub use modules::module_cycles;

use std::fs;
use std::path::{Path, PathBuf};

/// Longer than this, a file is about more than one thing.
const LINES_MAX: usize = 600;

/// Bytes, commands and `now` come in, values come out.
const PURE: [&str; 3] = ["domain", "iso8583", "authorizer"];

/// What a pure crate has no business with.
const IMPURE: [&str; 12] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "SystemTime",
    "Instant",
    "tokio",
    "async",
    "f32",
    "f64",
    "println",
];

/// Who may read a clock, and why. Everyone else is given the time.
const CLOCK_READERS: [(&str, &str); 5] = [
    ("switch/src/clock.rs", "the daemon's one reader of the clock"),
    ("journal/src/", "measures its own writes and syncs; nothing that it records depends on it"),
    ("simulators/src/", "other people's systems, with clocks of their own"),
    ("authswitch/src/", "the tool reports how long things took"),
    ("funding/src/", "waits for a network whose deadlines are monotonic"),
];

/// Which crates of the workspace a crate may depend on. `testkit` is for tests and is nobody's dependency.
const MAY_DEPEND_ON: [(&str, &[&str]); 11] = [
    ("domain", &[]),
    ("iso8583", &[]),
    ("authorizer", &["domain"]),
    ("cache", &["authorizer", "domain"]),
    ("journal", &["domain"]),
    ("funding", &["domain"]),
    ("control", &["authorizer", "domain"]),
    ("switch", &["authorizer", "cache", "control", "domain", "funding", "iso8583", "journal"]),
    ("simulators", &["domain", "funding", "iso8583"]),
    ("testkit", &["authorizer", "cache", "domain", "funding", "iso8583", "journal"]),
    (
        "authswitch",
        &[
            "authorizer",
            "cache",
            "control",
            "domain",
            "funding",
            "iso8583",
            "journal",
            "simulators",
            "switch",
        ],
    ),
];

/// One source file of a crate.
#[derive(Clone, Debug)]
pub struct Source {
    /// The crate it belongs to.
    pub krate: String,
    /// Its path below `crates/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Every source file of every crate of the workspace, in order of their paths.
#[must_use]
pub fn sources() -> Vec<Source> {
    let crates = crates_folder();
    let mut sources = Vec::new();
    for (krate, _) in MAY_DEPEND_ON {
        let mut files = Vec::new();
        collect(&crates.join(krate).join("src"), &mut files);
        files.sort();
        for file in files {
            let text =
                fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let path = file.strip_prefix(&crates).expect("below crates/").display().to_string();
            sources.push(Source { krate: krate.into(), path, text });
        }
    }
    sources
}

fn crates_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("crates/").to_path_buf()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry of a folder").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

impl Source {
    /// The code that ships, line by line with its number: without comments, and without tests at the end.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let shipped = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = (1..).zip(shipped.lines());
        lines.map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
    }

    /// Whether the file is tests from end to end.
    fn is_test(&self) -> bool {
        self.path.ends_with("_tests.rs") || self.path.contains("_tests/") || self.path.ends_with("/tests.rs")
    }
}

/// Files that do not open with what they are for. `x_tests.rs` is the body of the test module of `x.rs`, which says it.
#[must_use]
pub fn modules_without_a_story(sources: &[Source]) -> Vec<String> {
    let modules = sources.iter().filter(|source| !source.path.ends_with("_tests.rs"));
    let silent = modules.filter(|source| !source.text.starts_with("//! "));
    silent.map(|source| format!("{}:1: a module opens with `//!`", source.path)).collect()
}

/// Files that are too long.
#[must_use]
pub fn long_files(sources: &[Source]) -> Vec<String> {
    let long = sources.iter().filter(|source| source.text.lines().count() > LINES_MAX);
    long.map(|source| format!("{}: {} lines, at most {LINES_MAX}", source.path, source.text.lines().count()))
        .collect()
}

/// Work that was left undone.
#[must_use]
pub fn stubs(sources: &[Source]) -> Vec<String> {
    let words = [concat!("todo", "!"), concat!("unimplemented", "!"), concat!("FIX", "ME")];
    let mut findings = Vec::new();
    for source in sources {
        for (number, line) in (1..).zip(source.text.lines()) {
            findings.extend(
                words
                    .iter()
                    .filter(|word| line.contains(**word))
                    .map(|word| format!("{}:{number}: {word}", source.path)),
            );
        }
    }
    findings
}

/// Pure crates that are not.
#[must_use]
pub fn impurities(sources: &[Source]) -> Vec<String> {
    let pure = sources.iter().filter(|source| PURE.contains(&source.krate.as_str()) && !source.is_test());
    let mut findings = Vec::new();
    for source in pure {
        for (number, line) in source.code() {
            let impure = IMPURE.iter().filter(|word| mentions(line, word));
            findings.extend(impure.map(|word| format!("{}:{number}: {word} in a pure crate", source.path)));
        }
    }
    findings
}

/// Clocks that are read by those who should be given the time.
#[must_use]
pub fn stray_clocks(sources: &[Source]) -> Vec<String> {
    let may_read = |source: &Source| CLOCK_READERS.iter().any(|(path, _)| source.path.starts_with(path));
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| !may_read(source) && !source.is_test()) {
        let reads = source.code().filter(|(_, line)| {
            let clocks =
                [concat!("SystemTime::", "now"), concat!("Instant::", "now"), concat!("Timestamp::", "now")];
            clocks.iter().any(|clock| line.contains(clock))
        });
        findings.extend(reads.map(|(number, _)| format!("{}:{number}: reads a clock", source.path)));
    }
    findings
}

/// Dependencies between crates that point the wrong way.
#[must_use]
pub fn wrong_dependencies() -> Vec<String> {
    let names: Vec<&str> = MAY_DEPEND_ON.iter().map(|(name, _)| *name).collect();
    let mut findings = Vec::new();
    for (krate, allowed) in MAY_DEPEND_ON {
        let path = crates_folder().join(krate).join("Cargo.toml");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let manifest: toml::Table =
            text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let Some(toml::Value::Table(dependencies)) = manifest.get("dependencies") else { continue };
        let ours = dependencies.keys().filter(|name| names.contains(&name.as_str()));
        let wrong = ours.filter(|name| !allowed.contains(&name.as_str()));
        findings.extend(wrong.map(|name| format!("{krate}/Cargo.toml: {krate} must not depend on {name}")));
    }
    findings
}

/// Places in the daemon, outside its translation, that read or write elements of a message: only the translation
/// knows what an element means.
#[must_use]
pub fn second_translators(sources: &[Source]) -> Vec<String> {
    const READS: [&str; 8] = ["has", "value", "raw", "text", "digits", "number", "binary", "part"];
    let in_switch = sources.iter().filter(|source| source.krate == "switch" && !source.is_test());
    let elsewhere = in_switch.filter(|source| !source.path.starts_with("switch/src/translate"));
    let mut findings = Vec::new();
    for source in elsewhere {
        for (number, line) in source.code() {
            let reads = READS.iter().any(|read| line.contains(&format!("message.{read}(")));
            if reads || mentions(line, "Draft") {
                findings.push(format!(
                    "{}:{number}: reads or writes an element outside translate.rs",
                    source.path
                ));
            }
        }
    }
    findings
}

/// Whether `line` has `word` as a word of its own.
fn mentions(line: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(word).any(|(place, _)| {
        let before = line[..place].chars().next_back().is_some_and(is_part);
        let after = line[place + word.len()..].chars().next().is_some_and(is_part);
        !before && !after
    })
}
