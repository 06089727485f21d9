//! Variables of containers.

/// Whether Kubernetes accepts the name of a variable: printable ASCII without '='. It does so by default since 1.32,
/// and always since 1.34.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=')
}
