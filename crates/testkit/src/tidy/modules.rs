//! Cycles between the modules of a crate: two modules that need each other are one module, or a third is missing.
//!
//! A module here is a file or folder directly below `src/`; what goes on inside a folder is its own affair. An
//! edge is a path `crate::x`, where `x` is a module, or a name that the crate's root takes from one.

use super::Source;
use std::collections::{BTreeMap, BTreeSet};

type Graph = BTreeMap<String, BTreeSet<String>>;

/// Modules that depend on each other, by crate.
#[must_use]
pub fn module_cycles(sources: &[Source]) -> Vec<String> {
    let crates: BTreeSet<&str> = sources.iter().map(|source| source.krate.as_str()).collect();
    let mut findings = Vec::new();
    for krate in crates {
        let files: Vec<&Source> =
            sources.iter().filter(|source| source.krate == krate && !source.is_test()).collect();
        let graph = graph(&files);
        let mut told = BTreeSet::new();
        for module in graph.keys() {
            let mut circle: Vec<&String> = graph
                .keys()
                .filter(|other| reaches(&graph, module, other) && reaches(&graph, other, module))
                .collect();
            circle.sort();
            if !circle.is_empty() && circle != [module] && told.insert(circle.clone()) {
                let names: Vec<&str> = circle.iter().map(|name| name.as_str()).collect();
                findings.push(format!("{krate}: these modules need each other: {}", names.join(", ")));
            }
        }
    }
    findings
}

fn graph(files: &[&Source]) -> Graph {
    let modules: BTreeSet<String> = files.iter().filter_map(|file| module_of(file)).collect();
    let mut owner_of: BTreeMap<String, String> =
        modules.iter().map(|name| (name.clone(), name.clone())).collect();
    for root in files.iter().filter(|file| module_of(file).is_none()) {
        let text: String = root.code().map(|(_, line)| line).collect::<Vec<_>>().join(" ");
        for path in text.split("pub use ").skip(1) {
            let path = path.split(';').next().unwrap_or_default();
            let Some((module, names)) = path.split_once("::") else { continue };
            for name in words(names) {
                owner_of.insert(name, module.trim().to_owned());
            }
        }
    }
    let mut graph: Graph = modules.iter().map(|name| (name.clone(), BTreeSet::new())).collect();
    for file in files {
        let Some(module) = module_of(file) else { continue };
        let text: String = file.code().map(|(_, line)| line).collect::<Vec<_>>().join(" ");
        let used = used(&text).into_iter().filter_map(|name| owner_of.get(&name).cloned());
        let others = used.filter(|other| *other != module && modules.contains(other));
        graph.entry(module.clone()).or_default().extend(others);
    }
    graph
}

/// The module below the root that a file belongs to; none for the root itself.
fn module_of(file: &Source) -> Option<String> {
    let path = file.path.split("/src/").nth(1)?.trim_end_matches(".rs");
    let first = path.split('/').next()?;
    (!matches!(first, "lib" | "main")).then(|| first.to_owned())
}

/// The first names of all paths that begin with `crate::`.
fn used(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for path in text.split("crate::").skip(1) {
        if let Some(group) = path.strip_prefix('{') {
            let mut depth = 0;
            let mut names = String::new();
            for letter in group.chars() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    _ if depth == 0 => names.push(letter),
                    _ => {}
                }
            }
            used.extend(names.split(',').filter_map(|name| words(name).into_iter().next()));
        } else {
            used.extend(words(path).into_iter().next());
        }
    }
    used
}

fn words(text: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let words = text.split(|letter: char| !is_part(letter));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Whether one module leads to another over at least one edge.
fn reaches(graph: &Graph, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&str> = vec![from];
    while let Some(module) = open.pop() {
        for next in graph.get(module).into_iter().flatten() {
            if next == to {
                return true;
            }
            if seen.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    false
}
