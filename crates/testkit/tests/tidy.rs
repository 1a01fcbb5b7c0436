//! The sources of the workspace, held to what the house has promised. Each check is also shown to fail.
#![allow(clippy::unwrap_used, missing_docs)]

use testkit::tidy::{self, Source};

fn none(findings: Vec<String>) {
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn every_module_says_what_it_is_for() {
    none(tidy::modules_without_a_story(&tidy::sources()));
}

#[test]
fn no_file_is_too_long_to_read() {
    none(tidy::long_files(&tidy::sources()));
}

#[test]
fn nothing_is_left_undone() {
    none(tidy::stubs(&tidy::sources()));
}

#[test]
fn pure_crates_are_pure() {
    none(tidy::impurities(&tidy::sources()));
}

#[test]
fn the_time_is_given_and_not_read() {
    none(tidy::stray_clocks(&tidy::sources()));
}

#[test]
fn crates_depend_in_one_direction() {
    none(tidy::wrong_dependencies());
}

#[test]
fn modules_do_not_need_each_other() {
    none(tidy::module_cycles(&tidy::sources()));
}

#[test]
fn only_the_translation_knows_what_an_element_means() {
    none(tidy::second_translators(&tidy::sources()));
}

fn source(krate: &str, path: &str, text: &str) -> Source {
    Source { krate: krate.into(), path: format!("{krate}/src/{path}"), text: text.into() }
}

#[test]
fn each_check_finds_what_it_looks_for() {
    let undone = concat!("todo", "!()");
    let bad = [
        source("domain", "a.rs", &format!("use crate::b::B;\nfn f() {{ {undone} }}\nlet x: f64 = 0;\n")),
        source("domain", "b.rs", &format!("//! B.\nuse crate::{{c::C, d}};\n{}", "\n".repeat(600))),
        source("domain", "c.rs", "//! C.\nlet now = SystemTime::now(); // crate::a\nuse crate::Item;\n"),
        source("domain", "d.rs", "//! D. crate::a\n#[cfg(test)]\nmod tests {\n use crate::a;\n}\n"),
        source("domain", "lib.rs", "//! Root.\npub use a::{Item, Other};\n"),
        source("switch", "reply.rs", "//! R.\nlet amount = message.number(4);\n"),
    ];
    assert_eq!(tidy::modules_without_a_story(&bad), ["domain/src/a.rs:1: a module opens with `//!`"]);
    assert_eq!(tidy::long_files(&bad), ["domain/src/b.rs: 602 lines, at most 600"]);
    assert_eq!(tidy::stubs(&bad).len(), 1);
    assert_eq!(
        tidy::impurities(&bad),
        ["domain/src/a.rs:3: f64 in a pure crate", "domain/src/c.rs:2: SystemTime in a pure crate"]
    );
    assert_eq!(tidy::stray_clocks(&bad), ["domain/src/c.rs:2: reads a clock"]);
    assert_eq!(tidy::module_cycles(&bad), ["domain: these modules need each other: a, b, c"]);
    assert_eq!(tidy::second_translators(&bad).len(), 1);
}
