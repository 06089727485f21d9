//! Certificates that an IDE might show, good and bad.

use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use std::{fmt, sync::Arc};

/// A certificate with its key.
#[derive(Clone)]
pub struct Certificate {
    certificate: Arc<rcgen::Certificate>,
    params: CertificateParams,
    key: Arc<KeyPair>,
}

/// As IDEs make it: self-signed, for `localhost`, without basic constraints.
pub fn good() -> Certificate {
    self_signed(params("localhost"))
}

/// For another name.
pub fn wrong_host() -> Certificate {
    self_signed(params("elsewhere.example.com"))
}

/// With the name in the subject only.
pub fn unnamed() -> Certificate {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    self_signed(params)
}

/// Too old.
pub fn expired() -> Certificate {
    let mut params = params("localhost");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
    self_signed(params)
}

/// Too young.
pub fn not_yet() -> Certificate {
    let mut params = params("localhost");
    params.not_before = date_time_ymd(3000, 1, 1);
    self_signed(params)
}

/// Marked as an authority, as `openssl req -x509` does.
pub fn authority() -> Certificate {
    let mut params = params("localhost");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    self_signed(params)
}

/// For `localhost`, signed by another certificate.
pub fn signed_by(authority: &Certificate) -> Certificate {
    let (params, key) = (params("localhost"), KeyPair::generate().expect("a key"));
    let issuer = Issuer::from_params(&authority.params, &*authority.key);
    let certificate = params.signed_by(&key, &issuer).expect("a signed certificate");
    Certificate { certificate: Arc::new(certificate), params, key: Arc::new(key) }
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).expect("a DNS name")
}

fn self_signed(params: CertificateParams) -> Certificate {
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a self-signed certificate");
    Certificate { certificate: Arc::new(certificate), params, key: Arc::new(key) }
}

impl Certificate {
    /// In DER form.
    pub fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    /// As IDEs put it into a variable.
    pub fn base64(&self) -> String {
        STANDARD.encode(self.certificate.der())
    }

    /// As people keep it.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn server_config(&self) -> ServerConfig {
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider's protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![self.der()], key)
            .expect("a certificate with its key")
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}
