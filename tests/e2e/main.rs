//! Sojourn on a real control plane.

mod support;
mod lifecycle;
