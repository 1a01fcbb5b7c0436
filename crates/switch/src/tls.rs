//! TLS for processor links: certificates and keys from files, and connections made secure with them.
//!
//! A link that listens shows its certificate, and where a `ca` is named it asks for one signed by it. A link that
//! connects checks the certificate and the name of whoever answers; there is no way to leave that out. Files are
//! read when the configuration is checked, and again on demand: connections made later use the new ones, and files
//! that cannot be used leave the old ones in force. Key material is shown by no error and no `Debug`.

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use zeroize::Zeroizing;

/// A chain of certificates takes a few KiB; a file much longer is some other file.
const PEM_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Where certificates and keys are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TlsFiles {
    /// Our certificate and its private key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
    /// Who must have signed the other side's certificate.
    pub(crate) ca: Option<PathBuf>,
}

/// Which end of a connection we are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum TlsRole {
    /// The other side connects.
    Server,
    /// We connect, and the other side's certificate must hold this name.
    Client(ServerName<'static>),
}

/// One link's end of its TLS connections.
pub(crate) struct Tls {
    files: TlsFiles,
    role: TlsRole,
    ready: ArcSwap<Ready>,
}

/// What connections are made with.
enum Ready {
    Server(TlsAcceptor),
    Client(TlsConnector),
}

/// Why certificates or keys cannot be used. Never shows what is in a key file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// Something is not named that is needed.
    #[error("{missing} is not named: {why}")]
    Missing {
        /// The key.
        missing: &'static str,
        /// What it is for.
        why: &'static str,
    },
    /// A file cannot be read.
    #[error("{path} cannot be read: {source}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds nothing of use.
    #[error("{path} holds no {what} in PEM form", path = .path.display())]
    NoPem {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// A certificate that nothing can be checked against.
    #[error("{path}: a certificate cannot be used: {source}", path = .path.display())]
    BadCertificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The certificate and the key are not for each other, or not of a known kind.
    #[error("{certificate} and {key} cannot be used together: {source}", certificate = .certificate.display(), key = .key.display())]
    Identity {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The library refuses what we ask of it.
    #[error("{0}")]
    Refused(String),
}

/// Reads the name that a certificate must hold: a host name or an IP address.
pub(crate) fn server_name(text: &str) -> Result<ServerName<'static>, InvalidDnsNameError> {
    ServerName::try_from(text.to_owned())
}

impl Tls {
    /// Reads the files and makes sure that connections can be made with them.
    pub(crate) fn load(files: TlsFiles, role: TlsRole) -> Result<Self, TlsError> {
        let ready = ArcSwap::from_pointee(Ready::load(&files, &role)?);
        Ok(Self { files, role, ready })
    }

    /// Reads the files again. Connections that are open keep what they began with.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        self.ready.store(Arc::new(Ready::load(&self.files, &self.role)?));
        Ok(())
    }

    /// Makes a connection secure.
    pub(crate) async fn secure(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let ready = self.ready.load_full();
        match (ready.as_ref(), &self.role) {
            (Ready::Client(connector), TlsRole::Client(name)) => {
                Ok(connector.connect(name.clone(), stream).await?.into())
            }
            (Ready::Server(acceptor), _) => Ok(acceptor.accept(stream).await?.into()),
            (Ready::Client(_), TlsRole::Server) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).field("role", &self.role).finish_non_exhaustive()
    }
}

impl Ready {
    fn load(files: &TlsFiles, role: &TlsRole) -> Result<Self, TlsError> {
        // Named here and not installed for the process: two libraries that each install one would panic.
        let provider = Arc::new(aws_lc_rs::default_provider());
        match role {
            TlsRole::Server => Ok(Self::Server(TlsAcceptor::from(Arc::new(server(files, provider)?)))),
            TlsRole::Client(_) => Ok(Self::Client(TlsConnector::from(Arc::new(client(files, provider)?)))),
        }
    }
}

fn server(files: &TlsFiles, provider: Arc<CryptoProvider>) -> Result<ServerConfig, TlsError> {
    let why = "who listens shows a certificate, and proves with its key that it is its own";
    let identity = files.identity.as_ref().ok_or(TlsError::Missing { missing: "certificate", why })?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(refused)?;
    let builder = match &files.ca {
        Some(ca) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)?), provider);
            builder.with_client_cert_verifier(verifier.build().map_err(refused)?)
        }
        None => builder.with_no_client_auth(),
    };
    let (chain, key) = read_identity(identity)?;
    builder.with_single_cert(chain, key).map_err(|source| unfit(identity, source))
}

fn client(files: &TlsFiles, provider: Arc<CryptoProvider>) -> Result<ClientConfig, TlsError> {
    let why = "whoever answers could be anybody unless its certificate is checked";
    let ca = files.ca.as_ref().ok_or(TlsError::Missing { missing: "ca", why })?;
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(refused)?;
    let builder = builder.with_root_certificates(roots(ca)?);
    match &files.identity {
        Some(identity) => {
            let (chain, key) = read_identity(identity)?;
            builder.with_client_auth_cert(chain, key).map_err(|source| unfit(identity, source))
        }
        None => Ok(builder.with_no_client_auth()),
    }
}

fn refused(error: impl fmt::Display) -> TlsError {
    TlsError::Refused(error.to_string())
}

fn unfit((certificate, key): &(PathBuf, PathBuf), source: rustls::Error) -> TlsError {
    TlsError::Identity { certificate: certificate.clone(), key: key.clone(), source }
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|source| TlsError::BadCertificate { path: path.to_owned(), source })?;
    }
    Ok(roots)
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read_identity((certificate, key): &(PathBuf, PathBuf)) -> Result<Identity, TlsError> {
    let chain = certificates(certificate)?;
    let pem = read(key)?;
    let no_key = |_| TlsError::NoPem { path: key.clone(), what: "private key" };
    Ok((chain, PrivateKeyDer::from_pem_slice(&pem).map_err(no_key)?))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(TlsError::NoPem { path: path.to_owned(), what: "certificate" }),
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    use io::Read;
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(PEM_FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}
