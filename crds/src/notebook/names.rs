//! Names of what belongs to a notebook, and what stands for them in its spec.
//!
//! Those of the default scheme are the names that agentserver gave; its clean-up scripts, proxies and volumes know them.

use super::NameScheme;
use crate::dns::is_label_of_any_length;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// Start of the names of Deployment and Service.
pub const PREFIX: &str = "notebook-";
/// The container of the server.
pub const CONTAINER: &str = "notebook";
/// The volume of the workspace's files.
pub const VOLUME: &str = "workspace";

/// Label: what selects the pods.
pub const LABEL_APP: &str = "app";
/// Label: who made the object, as agentserver wrote it.
pub const LABEL_MANAGED_BY: &str = "managed-by";
/// Label: the workspace.
pub const LABEL_WORKSPACE: &str = "workspace-id";
/// Label: what kind of thing an object belongs to.
pub const LABEL_NAME: &str = "app.kubernetes.io/name";
/// Label: which Notebook an object belongs to.
pub const LABEL_INSTANCE: &str = "app.kubernetes.io/instance";
/// Label: who keeps the object.
pub const LABEL_KEPT_BY: &str = "app.kubernetes.io/managed-by";
/// Value of [`LABEL_NAME`].
pub const NAME_VALUE: &str = "Notebook";

/// Stands for the workspace ID.
pub const PLACEHOLDER: &str = "{workspace_id}";
/// Stands for the first characters of the workspace ID.
pub const PLACEHOLDER_SHORT: &str = "{workspace_id_short}";

/// The longest name of a Service.
const LONGEST: usize = 63;
/// How many characters [`PLACEHOLDER_SHORT`] stands for.
const SHORT: usize = 8;
/// What stands between a name that was made up and its hash.
const HASH_MARK: &str = "---";
/// How many hexadecimal digits of the hash stand there.
const HASH_DIGITS: usize = 8;

/// Why a notebook cannot have a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameNotebookError {
    /// The workspace ID cannot be a part of a name.
    #[error("workspace id {0:?} is not a valid k8s DNS-1123 label")]
    WorkspaceId(String),
    /// The name of the Deployment would be too long.
    #[error("deployment name {0:?} exceeds {LONGEST} chars")]
    TooLong(String),
    /// The server name cannot be a part of a name.
    #[error("server name {0:?} is not a valid k8s DNS-1123 label of at most {LONGEST} chars")]
    ServerName(String),
}

/// The name of a notebook's Deployment and Service. An empty server name is that of the workspace's default notebook.
///
/// That one has exactly agentserver's name. Others end in a hash, so that `a` with `b-c` and `a-b` with `c` differ.
pub fn deployment(workspace: &str, server: &str, scheme: NameScheme) -> Result<String, NameNotebookError> {
    let id = match scheme {
        NameScheme::Safe => Cow::Owned(safe(workspace, LONGEST - PREFIX.len())),
        NameScheme::Strict if is_label_of_any_length(workspace) => Cow::Borrowed(workspace),
        NameScheme::Strict => return Err(NameNotebookError::WorkspaceId(workspace.to_owned())),
    };
    if scheme == NameScheme::Strict && PREFIX.len() + id.len() > LONGEST {
        return Err(NameNotebookError::TooLong(format!("{PREFIX}{id}")));
    }
    if server.is_empty() {
        return Ok(format!("{PREFIX}{id}"));
    }
    if scheme == NameScheme::Strict && !(is_label_of_any_length(server) && server.len() <= LONGEST) {
        return Err(NameNotebookError::ServerName(server.to_owned()));
    }
    let slug = slug(&format!("{workspace}-{server}"));
    // Neither part holds a line feed unless the scheme makes names of anything, and then the lengths tell.
    let whole = format!("{}\n{workspace}\n{server}", workspace.len());
    Ok(format!("{PREFIX}{}", hashed(&slug, &whole, LONGEST - PREFIX.len())))
}

/// The text that stands for the workspace in labels and placeholders: its ID, or what the scheme makes of it.
pub fn workspace(id: &str, scheme: NameScheme) -> Cow<'_, str> {
    match scheme {
        NameScheme::Strict => Cow::Borrowed(id),
        NameScheme::Safe => Cow::Owned(safe(id, LONGEST)),
    }
}

/// `template` with its placeholders replaced, the short form first.
pub fn substitute(template: &str, workspace: &str) -> String {
    let short: String = workspace.chars().take(SHORT).collect();
    template.replace(PLACEHOLDER_SHORT, &short).replace(PLACEHOLDER, workspace)
}

/// What looks like a placeholder in `template` and is none: `{word}`, where the word has letters, digits, '_' and '-'.
/// `${word}` is a shell's, and is left out.
pub fn unknown_placeholders(template: &str) -> impl Iterator<Item = &str> {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    template.match_indices('{').filter_map(move |(start, _)| {
        let length = template[start..].find('}')?;
        let found = &template[start..=start + length];
        let name = &found[1..length];
        let of_shell = template[..start].ends_with('$');
        let known = found == PLACEHOLDER || found == PLACEHOLDER_SHORT;
        (!of_shell && !known && !name.is_empty() && name.bytes().all(word)).then_some(found)
    })
}

/// A label of at most `longest` characters: the text itself where it is one, else what can be read of it, and a hash.
fn safe(text: &str, longest: usize) -> String {
    if is_label_of_any_length(text) && text.len() <= longest {
        return text.to_owned();
    }
    hashed(&slug(text), text, longest)
}

fn hashed(slug: &str, whole: &str, longest: usize) -> String {
    let kept: String = slug.chars().take(longest - HASH_MARK.len() - HASH_DIGITS).collect();
    let digits: String =
        Sha256::digest(whole).iter().take(HASH_DIGITS / 2).map(|b| format!("{b:02x}")).collect();
    format!("{}{HASH_MARK}{digits}", kept.trim_end_matches('-'))
}

/// What can be read of a text in lower case letters, digits and single dashes; never empty.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for letter in text.chars().map(|c| c.to_ascii_lowercase()) {
        if letter.is_ascii_lowercase() || letter.is_ascii_digit() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "x".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::NameScheme::{Safe, Strict};
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    // The table that agentserver's own tests and documentation give.
    #[rstest]
    #[case("alpha", "notebook-alpha")]
    #[case("ws-abc-123", "notebook-ws-abc-123")]
    #[case("3f2b8c1e-5a44-4d0b-9a57-0c2d6f1e7b90", "notebook-3f2b8c1e-5a44-4d0b-9a57-0c2d6f1e7b90")]
    #[case("7", "notebook-7")]
    #[case("0-0", "notebook-0-0")]
    #[case("a--b", "notebook-a--b")]
    fn names_are_those_of_agentserver(#[case] id: &str, #[case] name: &str) {
        assert_eq!(deployment(id, "", Strict).as_deref(), Ok(name));
        assert_eq!(deployment(id, "", Safe).as_deref(), Ok(name));
    }

    #[rstest]
    #[case("")]
    #[case("-a")]
    #[case("a-")]
    #[case("a.b")]
    #[case("a_b")]
    #[case("Has_Caps_AndUnderscores")]
    #[case("INVALID")]
    #[case("é")]
    #[case("a\n")]
    fn a_strict_scheme_refuses_what_is_no_label(#[case] id: &str) {
        let error = deployment(id, "", Strict).unwrap_err();
        assert_eq!(error.to_string(), format!("workspace id {id:?} is not a valid k8s DNS-1123 label"));
    }

    #[test]
    fn the_name_has_at_most_63_characters() {
        assert_eq!(deployment(&"x".repeat(54), "", Strict).unwrap().len(), 63);
        let error = deployment(&"x".repeat(55), "", Strict).unwrap_err();
        let name = format!("notebook-{}", "x".repeat(55));
        assert_eq!(error.to_string(), format!("deployment name \"{name}\" exceeds 63 chars"));
    }

    #[rstest]
    #[case("Has_Caps_AndUnderscores", "notebook-has-caps-andunderscores---")]
    #[case("", "notebook-x---")]
    #[case("__", "notebook-x---")]
    fn a_safe_scheme_makes_names_of_anything(#[case] id: &str, #[case] start: &str) {
        let name = deployment(id, "", Safe).unwrap();
        assert!(name.starts_with(start) && name.len() == start.len() + HASH_DIGITS, "{name}");
    }

    #[test]
    fn several_notebooks_of_a_workspace_have_names_of_their_own() {
        let name = |id: &str, server: &str| deployment(id, server, Strict).unwrap();
        assert!(name("alpha", "gpu").starts_with("notebook-alpha-gpu---"));
        assert_eq!(name(&"a".repeat(54), &"b".repeat(63)).len(), 63);
        // What can be read is the same, what is meant is not.
        assert_ne!(name("a", "b-c"), name("a-b", "c"));
        let error = deployment("alpha", "GPU", Strict).unwrap_err().to_string();
        assert_eq!(error, "server name \"GPU\" is not a valid k8s DNS-1123 label of at most 63 chars");
        assert!(deployment("alpha", &"s".repeat(64), Strict).is_err());
    }

    #[rstest]
    #[case("ws-{workspace_id}-data", "alpha", "ws-alpha-data")]
    #[case("literal-pvc-name", "alpha", "literal-pvc-name")]
    #[case("/api/notebooks/{workspace_id}/", "alpha", "/api/notebooks/alpha/")]
    #[case("agent-ws-{workspace_id_short}-disk", "3f2b8c1e-5a44-4d0b", "agent-ws-3f2b8c1e-disk")]
    #[case("{workspace_id_short}", "alpha", "alpha")]
    fn placeholders_are_replaced(#[case] template: &str, #[case] id: &str, #[case] text: &str) {
        assert_eq!(substitute(template, id), text);
    }

    #[rstest]
    #[case("{workspace}-{workspace_id}-{x-1}", &["{workspace}", "{x-1}"])]
    #[case("${HOME} {} {a b} {\"a\": 1} {é} { } {", &[])]
    #[case("{{workspace_id_sort}}", &["{workspace_id_sort}"])]
    fn what_only_looks_like_a_placeholder_is_found(#[case] template: &str, #[case] found: &[&str]) {
        assert_eq!(unknown_placeholders(template).collect::<Vec<_>>(), found);
    }

    proptest! {
        #[test]
        fn a_safe_name_is_a_name(id in "\\PC{0,80}", server in "\\PC{0,80}") {
            let name = deployment(&id, &server, Safe).unwrap();
            prop_assert!(is_label_of_any_length(&name) && name.len() <= LONGEST, "{name}");
            let label = workspace(&id, Safe);
            prop_assert!(is_label_of_any_length(&label) && label.len() <= LONGEST, "{label}");
            prop_assert!(unknown_placeholders(&id).count() <= id.len());
        }

        #[test]
        fn other_servers_have_other_names(a in "[a-c-]{1,6}", b in "[a-c-]{1,6}", c in "[a-c-]{1,6}", d in "[a-c-]{1,6}") {
            let (one, other) = (deployment(&a, &b, Safe), deployment(&c, &d, Safe));
            prop_assert_eq!(one == other, (a, b) == (c, d));
        }
    }
}
