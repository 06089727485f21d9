//! Variables of containers.

/// What Kubernetes takes as the name of a variable, always since 1.34 and by default since 1.32: printable ASCII
/// without '='.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=')
}
