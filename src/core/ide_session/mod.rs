//! The decisions for `IdeSession`, in the order in which a reconcile asks for them.

pub mod world;

pub use world::{Capture, Command, EndFacts, EndpointFacts, Files, RunFacts, StartFacts, StopFacts, World};
