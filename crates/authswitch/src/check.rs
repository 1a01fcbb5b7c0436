//! `authswitch check CONFIG`: everything that `run` would check before it binds a port, and nothing else.

use crate::exit::{Exit, Outcome};
use crate::output;
use std::path::Path;
use switch::Config;

/// Checks a configuration and prints the settings in force.
pub(crate) fn check(path: &Path) -> Outcome {
    let config = Config::load(path).map_err(|error| (Exit::Configuration, error.into()))?;
    let heading = format!("# {}: in order; these settings are in force", path.display());
    output::print(&format!("{heading}\n{}", config.effective().trim_end()))
}
