//! A switch of one's own: any free port, a journal in a temporary folder, the development keys.

use super::PAN;
use super::api::Api;
use super::balance_service::BalanceService;
use super::message::Dialect;
use super::processor::Processor;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use switch::{Config, ConfigFile, LinkSection, StartError, Switch};
use tempfile::TempDir;

pub struct Daemon {
    pub switch: Switch,
    pub file: ConfigFile,
    pub folder: TempDir,
}

/// Where the shipped configuration is.
pub fn config_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

/// A configuration for tests: two links, one for each dialect.
pub fn config_file(folder: &Path) -> ConfigFile {
    let link = |name: &str| LinkSection {
        name: name.into(),
        listen: Some("127.0.0.1:0".parse().unwrap()),
        dialect: name.into(),
        ..LinkSection::default()
    };
    let mut file =
        ConfigFile { link: vec![link("ascii-1987"), link("binary-1987")], ..ConfigFile::default() };
    file.admin.listen = "127.0.0.1:0".parse().unwrap();
    file.journal.directory = folder.join("journal");
    file.journal.segment_bytes = 8 * 1024 * 1024;
    file.journal.free_bytes_min = 0;
    file.cache.cards_expected = 100;
    file.cache.accounts_expected = 100;
    // Nobody listens on the discard port, so that a test without a balance service is refused at once.
    file.funding.endpoint = "http://127.0.0.1:9".into();
    file.funding.connections_warm = 1;
    file.funding.duty_pause_min = Duration::from_millis(10);
    file.funding.duty_pause_max = Duration::from_millis(50);
    file
}

/// Starts a switch with this configuration.
pub async fn start(file: &ConfigFile) -> Result<Switch, StartError> {
    Switch::start(Config::check(file.clone(), &config_folder()).unwrap()).await
}

impl Daemon {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(adjust: impl FnOnce(&mut ConfigFile)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut file = config_file(folder.path());
        adjust(&mut file);
        let switch = start(&file).await.unwrap();
        Self { switch, file, folder }
    }

    /// A switch with an account `A` of 100 US dollars and the usual card `C` on it.
    pub async fn with_card() -> Self {
        let daemon = Self::start().await;
        daemon.add_card().await;
        daemon
    }

    pub async fn add_card(&self) {
        let api = self.api();
        api.open_account("A", "USD").await;
        api.credit("A", "100.00").await;
        api.issue("C", PAN, "A", "pre_funded", json!({})).await;
    }

    /// Stops the switch and starts another on the same journal.
    pub async fn restart(self) -> Self {
        let Self { switch, file, folder } = self;
        switch.stop().await.unwrap();
        let switch = start(&file).await.unwrap();
        Self { switch, file, folder }
    }

    pub fn api(&self) -> Api {
        Api::at(self.switch.admin())
    }

    /// Connects to the link of a dialect.
    pub async fn processor(&self, dialect: Dialect) -> Processor {
        let link = match dialect {
            Dialect::Ascii => 0,
            Dialect::Binary => 1,
        };
        Processor::connect(self.switch.links()[link], dialect).await
    }

    pub async fn ascii(&self) -> Processor {
        self.processor(Dialect::Ascii).await
    }
}

/// A switch beside a balance service, with the JIT card `C` in US dollars on the account `A` of US dollars.
pub async fn with_jit_card(adjust: impl FnOnce(&mut ConfigFile)) -> (Daemon, BalanceService) {
    with_jit_card_in("USD", adjust).await
}

/// The same with an account in another asset.
pub async fn with_jit_card_in(asset: &str, adjust: impl FnOnce(&mut ConfigFile)) -> (Daemon, BalanceService) {
    let service = BalanceService::start().await;
    let endpoint = service.endpoint.clone();
    let daemon = Daemon::start_with(|file| {
        file.funding.endpoint = endpoint;
        adjust(file);
    })
    .await;
    let api = daemon.api();
    api.open_account("A", asset).await;
    api.issue("C", PAN, "A", "jit", json!({})).await;
    (daemon, service)
}
