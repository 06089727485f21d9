//! The annotation that says which IDE a session is for, and the Secret that it names.

use std::fmt;

/// Annotation: the Secret that says how the IDE is reached, as `<namespace>/<name>`. Not a field of the spec, since
/// clients of the original drop fields that they do not know when they change the desired state.
pub const ENDPOINT_ANNOTATION: &str = "sojourn.dev/ide-endpoint-secret";

/// Label of the Secrets that say how an IDE is reached. Others are not read, whoever names them.
pub const ENDPOINT_LABEL: &str = "sojourn.dev/ide-endpoint";
/// The value of [`ENDPOINT_LABEL`].
pub const ENDPOINT_LABEL_VALUE: &str = "true";

/// The Secret that says how an IDE is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointSecret {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl EndpointSecret {
    /// The Secret that the annotation's value names; `None` when it is not `<namespace>/<name>`.
    pub fn parse(value: &str) -> Option<Self> {
        let (namespace, name) = value.split_once('/')?;
        let whole = !namespace.is_empty() && !name.is_empty() && !name.contains('/');
        whole.then(|| Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

impl fmt::Display for EndpointSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("ides/vscode", Some(("ides", "vscode")))]
    #[case("vscode", None)]
    #[case("/vscode", None)]
    #[case("ides/", None)]
    #[case("a/b/c", None)]
    #[case("", None)]
    fn namespace_and_name(#[case] value: &str, #[case] parts: Option<(&str, &str)>) {
        let secret = EndpointSecret::parse(value);
        assert_eq!(secret.as_ref().map(|s| (s.namespace.as_str(), s.name.as_str())), parts);
    }
}
