//! `demo`: a short one, with the books compared.

use crate::tool::authswitch;

#[test]
fn a_short_demo_ends_with_equal_books_and_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let sizes = "pre_funded_cards = 60\njit_cards = 40\ncards_per_account = 2\ncards_per_refusal = 2\nfunds = 1000000\n";
    std::fs::write(path("sizes.toml"), sizes).unwrap();
    let (report, kept, sizes) = (path("report.html"), path("kept"), path("sizes.toml"));
    let mut arguments = vec!["demo", "--duration", "6s", "--rate", "300", "--seed", "7", "--patience", "30s"];
    arguments.extend(["--sizes", &sizes, "--report", &report, "--keep", &kept]);
    let ran = authswitch(&arguments).ended(0);
    for part in [
        "processor",
        "balance service",
        "cache",
        "jit",
        "reversal",
        "0 differ",
        "facts replayed",
        "breaker open after",
        "payments from the last balance told; all acknowledged after",
        "0 of",
        "answers/s",
        &report,
    ] {
        assert!(ran.out.contains(part), "{part} is not in {}", ran.out);
    }
    let html = std::fs::read_to_string(&report).unwrap();
    assert!(html.contains("<svg") && !html.contains("src=\"http"), "the report stands on its own");
    authswitch(&["journal", "verify", &format!("{kept}/journal")]).ended(0);
    authswitch(&["check", &format!("{kept}/authswitch.toml")]).ended(0);
    // A second run would mix two journals.
    let ran = authswitch(&arguments).ended(1);
    assert!(ran.err.contains("earlier run"), "{}", ran.err);
}
