//! Sojourn.
fn main() {}
