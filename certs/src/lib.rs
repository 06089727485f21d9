//! Certificates for the webhook server: what to sign, when to sign it again and what to publish.
//!
//! Every decision is a plain function of values with the present moment as an argument; there is no client,
//! no file and no clock in this crate. Random numbers (keys, serials) are the one thing taken from outside.
//!
//! The model of `self` mode: one authority in a Secret that all replicas share ([`store`]), one short-lived
//! leaf per replica in memory ([`leaf`]), and the authority's certificate in the `caBundle` of every webhook
//! configuration ([`bundle`]).

pub mod authority;
pub mod bundle;
mod dates;
pub mod key;
pub mod leaf;
pub mod names;
pub mod server;
pub mod store;

pub use authority::{Authority, Reason};
pub use bundle::Bundle;
pub use key::PrivateKey;
pub use leaf::Leaf;
pub use names::Names;
pub use server::{CertResolver, server_config};
pub use store::{SecretData, Step, decide};
