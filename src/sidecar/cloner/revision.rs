//! What a revision means, given the references of the remote: pure.
//!
//! Branches go before tags, as in git; what is neither is a full reference or a commit.

/// What is to be checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Revision {
    /// A branch or a tag, by its short name.
    Named(String),
    /// A reference that is neither, such as that of a merge request.
    Reference(String),
    /// A commit, by its hash or the beginning of it.
    Commit(String),
}

/// A revision that the remote does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the remote has no branch, tag or commit {0:?}")]
pub(crate) struct FindRevisionError(String);

/// What `wanted` is, when the remote answered `listed` to the question for its references.
pub(crate) fn find(wanted: &str, listed: &str) -> Result<Revision, FindRevisionError> {
    let mut names = listed.lines().filter_map(|line| line.split_once('\t')).map(|(_, name)| name);
    let has = |name: &str| names.clone().any(|listed| listed == name);
    for folder in ["refs/heads/", "refs/tags/"] {
        let short = wanted.strip_prefix(folder).unwrap_or(wanted);
        if has(&format!("{folder}{short}")) && (short == wanted || wanted.starts_with(folder)) {
            return Ok(Revision::Named(short.to_owned()));
        }
    }
    if names.any(|listed| listed == wanted) {
        return Ok(Revision::Reference(wanted.to_owned()));
    }
    let hash = (4..=64).contains(&wanted.len()) && wanted.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hash { Ok(Revision::Commit(wanted.to_owned())) } else { Err(FindRevisionError(wanted.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const LISTED: &str = "1\tHEAD\n1\trefs/heads/main\n2\trefs/heads/both\n3\trefs/tags/both\n\
        3\trefs/tags/v1\n4\trefs/tags/v1^{}\n5\trefs/heads/abcd\n6\trefs/pull/1/head\n7\trefs/heads/a/v1\n";

    fn named(name: &str) -> Option<Revision> {
        Some(Revision::Named(name.into()))
    }

    #[rstest]
    #[case("main", named("main"))]
    #[case("refs/heads/main", named("main"))]
    #[case("both", named("both"))]
    #[case("v1", named("v1"))]
    #[case("refs/tags/v1", named("v1"))]
    #[case("a/v1", named("a/v1"))]
    #[case::a_branch_that_looks_like_a_commit("abcd", named("abcd"))]
    #[case("refs/pull/1/head", Some(Revision::Reference("refs/pull/1/head".into())))]
    #[case("0123abcd", Some(Revision::Commit("0123abcd".into())))]
    #[case("missing", None)]
    #[case("heads/main", None)]
    #[case("refs/heads/v1", None)]
    #[case("abc", None)]
    #[case("", None)]
    fn revisions(#[case] wanted: &str, #[case] expected: Option<Revision>) {
        assert_eq!(find(wanted, LISTED).ok(), expected);
    }
}
