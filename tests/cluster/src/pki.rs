//! Keys and certificates of one cluster: made afresh for each, written to its folder, gone with it.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::{Error, node, paths};

/// A certificate authority that signs for one cluster.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, both as PEM.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Whom a certificate names and what it is for.
pub(crate) struct Subject {
    /// Common name: the user name for Kubernetes.
    pub(crate) name: &'static str,
    /// Organization: the group for Kubernetes.
    pub(crate) group: Option<&'static str>,
}

impl Authority {
    pub(crate) fn new() -> Result<Self, Error> {
        let fail = |source| Error::IssueCertificate { subject: "the authority", source };
        let key = KeyPair::generate().map_err(fail)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "sojourn-cluster");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let pem = params.self_signed(&key).map_err(fail)?.pem();
        Ok(Self { pem, issuer: Issuer::new(params, key) })
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate with which a client shows who it is.
    pub(crate) fn client(&self, subject: &Subject) -> Result<Identity, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, subject.name);
        if let Some(group) = subject.group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params, subject.name)
    }

    /// The API server's own certificate.
    pub(crate) fn server(&self, names: &[&str]) -> Result<Identity, Error> {
        let fail = |source| Error::IssueCertificate { subject: "kube-apiserver", source };
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).map_err(fail)?;
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params, "kube-apiserver")
    }

    fn sign(&self, params: CertificateParams, subject: &'static str) -> Result<Identity, Error> {
        let fail = |source| Error::IssueCertificate { subject, source };
        let key = KeyPair::generate().map_err(fail)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(fail)?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// Writes what the API server and the controller manager read from files.
pub(crate) fn write(dir: &Path, authority: &Authority) -> Result<(), Error> {
    paths::create_dir(dir)?;
    let server = authority.server(&[
        "127.0.0.1",
        "10.96.0.1",
        node::NODE_ADDRESS,
        node::API_SERVICE,
        "localhost",
        "kubernetes.default.svc",
    ])?;
    let to_kubelet = authority.client(&Subject { name: "kube-apiserver", group: Some("system:masters") })?;
    let tokens = KeyPair::generate()
        .map_err(|source| Error::IssueCertificate { subject: "service account tokens", source })?;
    for (name, text) in [
        (CA, authority.pem()),
        (SERVER_CERTIFICATE, &server.certificate),
        (SERVER_KEY, &server.key),
        (KUBELET_CLIENT_CERTIFICATE, &to_kubelet.certificate),
        (KUBELET_CLIENT_KEY, &to_kubelet.key),
        (TOKEN_KEY, &tokens.serialize_pem()),
        (TOKEN_PUBLIC_KEY, &tokens.public_key_pem()),
    ] {
        paths::write_private(&dir.join(name), text)?;
    }
    Ok(())
}

/// The folder of these files in a cluster's folder.
pub(crate) fn dir(cluster: &Path) -> PathBuf {
    cluster.join("pki")
}

pub(crate) const CA: &str = "ca.crt";
pub(crate) const SERVER_CERTIFICATE: &str = "apiserver.crt";
pub(crate) const SERVER_KEY: &str = "apiserver.key";
pub(crate) const KUBELET_CLIENT_CERTIFICATE: &str = "apiserver-to-kubelet.crt";
pub(crate) const KUBELET_CLIENT_KEY: &str = "apiserver-to-kubelet.key";
pub(crate) const TOKEN_KEY: &str = "service-accounts.key";
pub(crate) const TOKEN_PUBLIC_KEY: &str = "service-accounts.pub";
