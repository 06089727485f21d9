//! `IdeSession`: debug run sessions in IDEs, which no object of the cluster stands for.

pub mod endpoints;
pub mod runs;
