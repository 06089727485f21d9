//! Certificates for the webhook server: what to sign, when to renew it, and what to publish.
//!
//! Every decision is a function of values, and the current time is an argument. This crate has no client, no file and
//! no clock. Its only input from outside is random numbers, for keys and serials.
//!
//! Mode `self`: all replicas share one authority in a Secret ([`store`]). Each replica has a short-lived leaf in memory
//! ([`leaf`]). The certificate of the authority is in the `caBundle` of every webhook configuration ([`bundle`]).
//! [`rotation`] replaces an authority while every replica stays verifiable. Mode `files`: another program, for example
//! cert-manager, maintains a certificate and its key ([`pair`]).

pub mod authority;
pub mod bundle;
pub mod clients;
mod dates;
pub mod fingerprint;
pub mod key;
pub mod leaf;
pub mod names;
pub mod pair;
pub mod propagation;
pub mod rotation;
pub mod server;
pub mod store;
pub mod verify;

pub use authority::{Authority, Reason};
pub use bundle::Bundle;
pub use clients::{ClientAuthorities, ClientChain};
pub use dates::CLOCKS_DIFFER;
pub use fingerprint::Fingerprint;
pub use key::PrivateKey;
pub use leaf::Leaf;
pub use names::Names;
pub use pair::Pair;
pub use server::{CertResolver, server_config};
pub use store::{SecretData, Stored};
pub use verify::verify;
