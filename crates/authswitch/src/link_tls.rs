//! TLS of the processor simulator's links: its certificate, and whose it trusts.
//!
//! There is no way to connect without checking the other side's certificate: who tries out TLS wants to know that it
//! holds.

use anyhow::{Context, anyhow};
use clap::Args;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use simulators::processor::LinkTls;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The arguments about TLS; they are for every link of a run.
#[derive(Debug, Args)]
pub(crate) struct TlsArguments {
    #[command(flatten)]
    files: TlsFiles,
    /// TLS: the name in the switch's certificate. Default: the host of the link.
    #[arg(long, value_name = "NAME", requires = "tls_ca")]
    tls_name: Option<String>,
}

/// The files of TLS.
#[derive(Debug, Args)]
pub(crate) struct TlsFiles {
    /// TLS: who must have signed the switch's certificate, PEM.
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// TLS: our certificate and those above it, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// TLS: the key of our certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl TlsArguments {
    /// What makes a link secure that connects to `address`; `None` where nothing was said of TLS.
    pub(crate) fn client(&self, address: &str) -> anyhow::Result<Option<LinkTls>> {
        let Some(ca) = &self.files.tls_ca else {
            return match self.files.tls_certificate {
                None => Ok(None),
                Some(_) => Err(anyhow!(
                    "--tls-ca is needed where we connect: who must have signed the switch's certificate?"
                )),
            };
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?.with_root_certificates(roots(ca)?);
        let config = match self.files.identity()? {
            Some((chain, key)) => {
                builder.with_client_auth_cert(chain, key).context("--tls-certificate and --tls-key")?
            }
            None => builder.with_no_client_auth(),
        };
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let name = self.tls_name.as_deref().unwrap_or(host).to_owned();
        let named = ServerName::try_from(name.clone()).with_context(|| {
            format!("--tls-name {name:?} was found, a host name or an IP address is allowed")
        })?;
        Ok(Some(LinkTls::Client(Arc::new(config), named)))
    }

    /// What makes a link secure that the switch connects to; `None` where nothing was said of TLS.
    pub(crate) fn server(&self) -> anyhow::Result<Option<LinkTls>> {
        Ok(self.files.server()?.map(|config| LinkTls::Server(Arc::new(config))))
    }
}

impl TlsFiles {
    /// How we prove who we are to those who connect, and whom we let in; `None` where nothing was said of TLS.
    pub(crate) fn server(&self) -> anyhow::Result<Option<ServerConfig>> {
        let Some((chain, key)) = self.identity()? else {
            return match self.tls_ca {
                None => Ok(None),
                Some(_) => Err(anyhow!("--tls-certificate and --tls-key are needed where we listen")),
            };
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions()?;
        let builder = match &self.tls_ca {
            Some(ca) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)?), provider);
                builder.with_client_cert_verifier(verifier.build().context("--tls-ca")?)
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Some(builder.with_single_cert(chain, key).context("--tls-certificate and --tls-key")?))
    }

    fn identity(&self) -> anyhow::Result<Option<Identity>> {
        let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) else { return Ok(None) };
        let read = PrivateKeyDer::from_pem_file(key);
        // The library's own error is not repeated: it may quote what it read.
        let key =
            read.map_err(|_| anyhow!("--tls-key {}: no private key in PEM form can be read", key.display()))?;
        Ok(Some((certificates(certificate, "--tls-certificate")?, key)))
    }
}

fn certificates(path: &Path, option: &str) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.with_context(|| format!("{option} {} cannot be read", path.display()))?;
    if found.is_empty() {
        return Err(anyhow!("{option} {} holds no certificate in PEM form", path.display()));
    }
    Ok(found)
}

fn roots(path: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, "--tls-ca")? {
        roots.add(certificate).with_context(|| format!("--tls-ca {}", path.display()))?;
    }
    Ok(roots)
}
