//! TLS towards the balance service: whom it must be, and who we are.
//!
//! Only the authorities that the configuration names are trusted. The system's list is left alone: a private
//! service has a private authority, and whoever may add to a public list should not be able to answer asks.

use crate::endpoint::Endpoint;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::sync::Arc;

/// Certificates and keys, checked to fit together.
#[derive(Clone)]
pub struct TlsSettings {
    config: Arc<ClientConfig>,
}

/// Why TLS cannot work as configured. Never shows a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of authorities is not PEM.
    #[error("the file of authorities cannot be read as PEM certificates: {0}")]
    Authorities(#[source] rustls::pki_types::pem::Error),
    /// The file of authorities is empty.
    #[error("the file of authorities holds no certificate; at least one is needed")]
    NoAuthority,
    /// Our certificate is not PEM.
    #[error("the client certificate cannot be read as PEM certificates: {0}")]
    Certificate(#[source] rustls::pki_types::pem::Error),
    /// Our key is not PEM.
    #[error("the client certificate's key cannot be read as a PEM private key")]
    Key,
    /// Certificate and key do not fit, or an authority is no certificate.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

impl TlsSettings {
    /// Trusts the authorities in `authorities`, and shows the certificate in `identity` (certificate chain and
    /// key), if the service asks for one. All are PEM.
    pub fn from_pem(authorities: &[u8], identity: Option<(&[u8], &[u8])>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities) {
            roots.add(certificate.map_err(TlsError::Authorities)?)?;
        }
        if roots.is_empty() {
            return Err(TlsError::NoAuthority);
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
                let chain = chain.map_err(TlsError::Certificate)?;
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Key)?;
                builder.with_client_auth_cert(chain, key)?
            }
        };
        Ok(Self { config: Arc::new(config) })
    }

    /// The same, for connections that speak `protocol` (an ALPN name).
    pub(crate) fn speaking(&self, protocol: &[u8]) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config)
    }
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsSettings(..)")
    }
}

/// The name that the service's certificate must bear; `None` when the host is no name and no address.
pub(crate) fn server_name(endpoint: &Endpoint) -> Option<ServerName<'static>> {
    ServerName::try_from(endpoint.host().to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_named_and_no_key_is_shown() {
        let error = TlsSettings::from_pem(b"", None).unwrap_err().to_string();
        assert!(error.contains("holds no certificate"), "{error}");
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let error = TlsSettings::from_pem(certificate.as_bytes(), Some((certificate.as_bytes(), b"hunter2")));
        let error = error.unwrap_err();
        assert!(error.to_string().contains("the client certificate's key"), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let sound =
            TlsSettings::from_pem(certificate.as_bytes(), Some((certificate.as_bytes(), key.as_bytes())));
        assert_eq!(format!("{:?}", sound.unwrap()), "TlsSettings(..)");
    }
}
