//! Everything that decides, without a client, a clock, an environment or a random source.

pub mod images;
pub mod settings;
