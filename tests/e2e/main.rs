//! Sojourn on a real control plane.

mod lifecycle;
mod support;
