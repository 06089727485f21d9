//! The certificate that an IDE is known by: one certificate, as base64 of DER or as PEM.

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use x509_parser::prelude::FromDer;

/// A text that is not one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadCertificateError {
    /// There is no text.
    #[error("it is empty")]
    Empty,
    /// The text is neither base64 nor PEM.
    #[error("it is neither base64 of a DER certificate nor PEM")]
    Decode,
    /// There is more than one.
    #[error("it holds more than one certificate; the IDE's own is expected")]
    Several,
    /// What was decoded is no certificate.
    #[error("it is no X.509 certificate; give the IDE's own, as base64 of DER or as PEM")]
    Parse,
}

/// Reads one certificate.
pub(crate) fn read(text: &str) -> Result<CertificateDer<'static>, ReadCertificateError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(ReadCertificateError::Empty);
    }
    let certificate = if text.starts_with("-----BEGIN") {
        let mut found = CertificateDer::pem_slice_iter(text.as_bytes());
        let first = found.next().and_then(Result::ok).ok_or(ReadCertificateError::Decode)?;
        if found.next().is_some() {
            return Err(ReadCertificateError::Several);
        }
        first
    } else {
        let packed: String = text.split_ascii_whitespace().collect();
        STANDARD.decode(packed).map_err(|_| ReadCertificateError::Decode)?.into()
    };
    match x509_parser::certificate::X509Certificate::from_der(&certificate) {
        Ok(([], _)) => Ok(certificate),
        Ok(_) => Err(ReadCertificateError::Several),
        Err(_) => Err(ReadCertificateError::Parse),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sojourn_fake_ide::certificate;

    #[test]
    fn is_der_in_base64_or_pem() {
        let good = certificate::good();
        let wrapped =
            good.base64().as_bytes().chunks(64).map(|line| [line, b"\n"].concat()).collect::<Vec<_>>();
        let wrapped = String::from_utf8(wrapped.concat()).unwrap();
        for text in [good.base64(), good.pem(), wrapped] {
            assert_eq!(read(&text).unwrap(), good.der(), "{text}");
        }
    }

    #[test]
    fn is_exactly_one() {
        let (a, b) = (certificate::good(), certificate::good());
        assert_eq!(read(&(a.pem() + &b.pem())), Err(ReadCertificateError::Several));
        let both = [a.der().as_ref(), b.der().as_ref()].concat();
        assert_eq!(read(&STANDARD.encode(both)), Err(ReadCertificateError::Several));
    }

    #[test]
    fn anything_else_is_none() {
        assert_eq!(read(" \n"), Err(ReadCertificateError::Empty));
        assert_eq!(read("%"), Err(ReadCertificateError::Decode));
        assert_eq!(read("-----BEGIN CERTIFICATE-----\nx"), Err(ReadCertificateError::Decode));
        assert_eq!(read("bm8="), Err(ReadCertificateError::Parse));
    }
}
