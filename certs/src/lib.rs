//! Certificates for the webhook server: what to sign, when to sign it again and what to publish.
//!
//! Every decision is a plain function of values with the present moment as an argument; there is no client,
//! no file and no clock in this crate. Random numbers (keys, serials) are the one thing taken from outside.
//!
//! Mode `self`: one authority in a Secret that all replicas share ([`store`]), one short-lived leaf per replica
//! in memory ([`leaf`]), and the authority's certificate in the `caBundle` of every webhook configuration
//! ([`bundle`]). How one authority follows another without a moment in which somebody is not verified is
//! [`rotation`]. Mode `files`: a pair that somebody else keeps ([`pair`]).

pub mod authority;
pub mod bundle;
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
pub use dates::CLOCKS_DIFFER;
pub use fingerprint::Fingerprint;
pub use key::PrivateKey;
pub use leaf::Leaf;
pub use names::Names;
pub use pair::Pair;
pub use server::{CertResolver, server_config};
pub use store::{SecretData, Stored};
pub use verify::verify;
