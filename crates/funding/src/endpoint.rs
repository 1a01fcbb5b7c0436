//! Where a balance service is: `http://host[:port][/base]` or `https://...`.

use std::fmt;
use std::str::FromStr;

/// Whether what is sent is encrypted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// In clear, for the same machine or a private network.
    Http,
    /// TLS, with the certificates that the configuration names.
    Https,
}

impl Scheme {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The address of one balance service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    scheme: Scheme,
    host: String,
    port: u16,
    base: String,
}

/// Why an endpoint was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "endpoint {found:?}: {problem}; allowed is http://host[:port][/base] or https://..., such as \
     \"http://127.0.0.1:8584\""
)]
pub struct EndpointError {
    found: String,
    problem: &'static str,
}

impl Endpoint {
    /// Whether it is reached over TLS.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host and port, as the `Host` header carries them.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The name or address to connect to.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What stands before the paths of the contract: empty, or `/base` without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let refused = |problem| EndpointError { found: text.chars().take(200).collect(), problem };
        let uri: http::Uri = text.parse().map_err(|_| refused("not a URL"))?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            Some(_) | None => return Err(refused("the scheme is neither http nor https")),
        };
        let authority = uri.authority().ok_or_else(|| refused("there is no host"))?;
        if authority.as_str().contains('@') {
            return Err(refused("a user name or password does not belong here"));
        }
        if authority.host().is_empty() {
            return Err(refused("there is no host"));
        }
        if uri.query().is_some() {
            return Err(refused("a query does not belong here"));
        }
        let base = uri.path().trim_end_matches('/').to_owned();
        let port = uri.port_u16().unwrap_or_else(|| scheme.port());
        Ok(Self { scheme, host: authority.host().to_owned(), port, base })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}{}", self.scheme.as_str(), self.host, self.port, self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_read_with_its_base_path() {
        let endpoint: Endpoint = "http://balance.internal/cards/".parse().unwrap();
        assert_eq!((endpoint.host(), endpoint.port(), endpoint.base()), ("balance.internal", 80, "/cards"));
        let endpoint: Endpoint = "http://[::1]:8584".parse().unwrap();
        assert_eq!((endpoint.host(), endpoint.base()), ("::1", ""));
        assert_eq!(endpoint.authority(), "[::1]:8584");
        assert_eq!(endpoint.to_string(), "http://[::1]:8584");
        let endpoint: Endpoint = "https://balance.internal".parse().unwrap();
        assert_eq!((endpoint.scheme(), endpoint.port()), (Scheme::Https, 443));
    }

    #[test]
    fn other_endpoints_are_refused_with_a_reason() {
        for (bad, problem) in [
            ("ftp://127.0.0.1", "the scheme is neither http nor https"),
            ("127.0.0.1:8584", "the scheme is neither http nor https"),
            ("http://", "not a URL"),
            ("http://user:password@host", "a user name or password does not belong here"),
            ("http://host/?key=1", "a query does not belong here"),
        ] {
            let error = bad.parse::<Endpoint>().unwrap_err();
            assert_eq!(error.problem, problem, "{bad}");
        }
    }
}
