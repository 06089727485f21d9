//! A private key that is never shown: `Debug` is redacted, and the PEM text has to be asked for.

use std::fmt;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};

/// A private key. A generated key is ECDSA on P-256; a key that is read from PEM may be of any kind that can sign.
pub struct PrivateKey(KeyPair);

/// Why there is no usable private key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The random source or the key generator failed.
    #[error("cannot generate a private key")]
    Generate(#[source] rcgen::Error),
    /// The text is not a private key in PEM form.
    #[error("cannot read the private key from PEM")]
    Read(#[source] rcgen::Error),
}

impl PrivateKey {
    /// Generates a P-256 key.
    pub fn generate() -> Result<Self, KeyError> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map(Self).map_err(KeyError::Generate)
    }

    /// Reads a PKCS#8 key from PEM text.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        KeyPair::from_pem(pem).map(Self).map_err(KeyError::Read)
    }

    /// The key as PEM text, for the Secret only.
    pub fn to_pem(&self) -> String {
        self.0.serialize_pem()
    }

    pub(crate) fn pair(&self) -> &KeyPair {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_holds_no_key() {
        let key = PrivateKey::generate().unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey(redacted)");
    }

    #[test]
    fn a_key_survives_its_pem_form() {
        let key = PrivateKey::generate().unwrap();
        let read = PrivateKey::from_pem(&key.to_pem()).unwrap();
        assert_eq!(read.pair().public_key_raw(), key.pair().public_key_raw());
    }

    #[test]
    fn text_that_is_no_key_is_an_error() {
        assert!(PrivateKey::from_pem("nothing").is_err());
    }
}
