//! Paths that lead out of where they should stay.

/// Why a path is not relative, or leads upwards. `validateLocalDescendingPath`.
pub(crate) fn descent_problem(path: &str) -> Option<&'static str> {
    if path.starts_with('/') {
        return Some("is not relative");
    }
    leads_up(path).then_some("contains '..'")
}

/// Whether a part of the path is `..`.
pub(crate) fn leads_up(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}
