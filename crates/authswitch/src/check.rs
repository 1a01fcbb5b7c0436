//! `authswitch check CONFIG`: everything that `run` would check before it binds a port, and nothing else.

use crate::exit::{Exit, Outcome};
use std::path::Path;
use switch::Config;

/// Checks a configuration and prints the settings in force.
pub(crate) fn check(path: &Path) -> Outcome {
    let config = Config::load(path).map_err(|error| (Exit::Configuration, error.into()))?;
    println!("# {}: in order; these settings are in force", path.display());
    print!("{}", config.effective());
    Ok(())
}
