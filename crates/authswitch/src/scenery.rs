//! What the simulators play with unless they are told otherwise: the files of `config/demo`, built into the program.

use crate::exit::Exit;
use anyhow::Context;
use serde::de::DeserializeOwned;
use simulators::balance_service::Profile;
use simulators::processor::{Mix, PopulationSizes};
use std::path::Path;

const POPULATION: &str = include_str!("../../../config/demo/population.toml");
const TRAFFIC: &str = include_str!("../../../config/demo/traffic.toml");
const BALANCE_SERVICE: &str = include_str!("../../../config/demo/balance-service.toml");

type Result<T> = std::result::Result<T, (Exit, anyhow::Error)>;

/// How many accounts and cards there are.
pub(crate) fn population_sizes(file: Option<&Path>) -> Result<PopulationSizes> {
    from_toml(file, POPULATION)
}

/// How often each kind of message is sent.
pub(crate) fn mix(file: Option<&Path>) -> Result<Mix> {
    from_toml(file, TRAFFIC)
}

/// How the balance service behaves: a profile of `config/balance-service` by its name, or else a file.
pub(crate) fn profile(given: Option<&str>) -> Result<Profile> {
    if let Some(named) = given.and_then(Profile::named) {
        return Ok(named);
    }
    let read = read(given.map(Path::new), BALANCE_SERVICE).map_err(|(exit, error)| {
        let names: Vec<_> = Profile::names().collect();
        (exit, error.context(format!("--profile takes a file, or one of {}", names.join(", "))))
    });
    let (name, text) = read?;
    Profile::from_toml(&text).with_context(|| name).map_err(|error| (Exit::Configuration, error))
}

fn from_toml<T: DeserializeOwned>(file: Option<&Path>, built_in: &str) -> Result<T> {
    let (name, text) = read(file, built_in)?;
    toml::from_str(&text).with_context(|| name).map_err(|error| (Exit::Configuration, error))
}

/// The text of a file, or the one that is built in, with its name for errors.
fn read(file: Option<&Path>, built_in: &str) -> Result<(String, String)> {
    let Some(file) = file else { return Ok(("config/demo".to_owned(), built_in.to_owned())) };
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{name} cannot be read"))
        .map_err(|error| (Exit::Configuration, error))?;
    Ok((name, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_can_be_read() {
        assert_eq!(population_sizes(None).unwrap(), PopulationSizes::default());
        assert_eq!(mix(None).unwrap(), Mix::default());
        assert!(profile(None).unwrap().error_rate > 0.0);
    }

    #[test]
    fn a_profile_has_a_name_or_is_a_file() {
        assert_eq!(profile(Some("hung")).unwrap().hang_rate.to_string(), "1");
        let (exit, error) = profile(Some("hunk")).unwrap_err();
        let text = format!("{error:#}");
        assert_eq!(exit, Exit::Configuration);
        assert!(text.contains("normal, slow, hung") && text.contains("hunk cannot be read"), "{text}");
    }

    #[test]
    fn a_file_with_an_unknown_key_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("traffic.toml");
        std::fs::write(&file, "chargebacks = 3").unwrap();
        let (exit, error) = mix(Some(&file)).unwrap_err();
        let text = format!("{error:#}");
        assert_eq!(exit, Exit::Configuration);
        assert!(text.contains("traffic.toml") && text.contains("chargebacks"), "{text}");
    }
}
