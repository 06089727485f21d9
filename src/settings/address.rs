//! Addresses to listen on, as Go spells them: `:8081` is port 8081 on every address, `0` is none.

use std::fmt;

/// A text that is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("HOST:PORT or :PORT was expected, or 0 for none")]
pub struct ReadAddressError;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Host name or IP address; empty for every address.
    pub host: String,
    /// Port; 0 lets the system choose one.
    pub port: u16,
}

impl Address {
    /// Reads an address; `0` and an empty text are none.
    pub fn parse(text: &str) -> Result<Option<Self>, ReadAddressError> {
        if matches!(text, "" | "0") {
            return Ok(None);
        }
        let (host, port) = text.rsplit_once(':').ok_or(ReadAddressError)?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address,
            // A second colon is an IPv6 address whose port cannot be told apart.
            None if host.contains(':') => return Err(ReadAddressError),
            None => host,
        };
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let clean = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:%_".contains(&b));
        match port.parse() {
            Ok(port) if digits && clean => Ok(Some(Self { host: host.to_owned(), port })),
            _ => Err(ReadAddressError),
        }
    }

    /// Listens. Every address means IPv6 and IPv4 where the machine has both.
    pub async fn bind(&self) -> std::io::Result<tokio::net::TcpListener> {
        if !self.host.is_empty() {
            return tokio::net::TcpListener::bind((self.host.as_str(), self.port)).await;
        }
        match tokio::net::TcpListener::bind(("::", self.port)).await {
            Ok(listener) => Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(error),
            // A machine without IPv6.
            Err(_) => tokio::net::TcpListener::bind(("0.0.0.0", self.port)).await,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(":8081", Some(":8081"))]
    #[case("0.0.0.0:8081", Some("0.0.0.0:8081"))]
    #[case("localhost:0", Some("localhost:0"))]
    #[case("[::1]:9443", Some("[::1]:9443"))]
    #[case("0", None)]
    #[case("", None)]
    fn reads_what_go_reads(#[case] text: &str, #[case] shown: Option<&str>) {
        assert_eq!(Address::parse(text).unwrap().map(|a| a.to_string()).as_deref(), shown);
    }

    #[rstest]
    #[case("8081")]
    #[case(":")]
    #[case(":http")]
    #[case(":65536")]
    #[case(":+80")]
    #[case("::1:80")]
    #[case("http://localhost:80")]
    fn refuses_what_is_none(#[case] text: &str) {
        assert_eq!(Address::parse(text), Err(ReadAddressError));
    }

    #[tokio::test]
    async fn binds_by_name() {
        let address = Address::parse("localhost:0").unwrap().unwrap();
        assert!(address.bind().await.unwrap().local_addr().unwrap().ip().is_loopback());
    }
}
