//! Which notebook of which workspace an object is: fit for names, and never changed.
//!
//! agentserver answers a workspace ID that fits no name with an error at every start, in the words that are used here.
//! It finds its objects by name; a changed identity would leave the old ones behind, and with them the files.

use sojourn_crds::dns;
use sojourn_crds::notebook::names::{self, NameNotebookError};
use sojourn_crds::notebook::{NameScheme, Notebook};

use super::spec;
use crate::finding::{Code, FieldPath, Finding, seen};
use crate::rules::object_name;

/// Says which parts of the identity cannot stand in a name.
pub(crate) fn check(notebook: &Notebook, findings: &mut Vec<Finding>) {
    let scheme = notebook.spec.name_scheme;
    if let Some((id, path)) = workspace(notebook)
        && let Err(error) = names::deployment(&id, "", scheme)
    {
        let code = match error {
            NameNotebookError::TooLong(_) => Code::WorkspaceIdTooLong,
            _ => Code::WorkspaceIdInvalid,
        };
        let hint = match (notebook.spec.workspace_id.is_some(), code) {
            (false, _) => "set spec.workspaceID, or choose another name",
            (true, Code::WorkspaceIdTooLong) => "shorten it to 54 characters, or set spec.nameScheme to Safe",
            (true, _) => "use a-z, 0-9 and '-', no '-' at the ends, or set spec.nameScheme to Safe",
        };
        findings.push(Finding::new(code, path, error.to_string(), hint));
    }
    // Any workspace ID will do to judge the server name alone.
    if let Err(error) = names::deployment("x", notebook.server_name(), scheme) {
        let hint = "use a-z, 0-9 and '-', no '-' at the ends, or set spec.nameScheme to Safe";
        findings.push(Finding::new(Code::ServerNameInvalid, spec("serverName"), error.to_string(), hint));
    }
    if let Some(profile) = notebook.spec.profile.as_deref().filter(|profile| !dns::is_subdomain(profile)) {
        findings.push(Finding::new(
            Code::ProfileNameInvalid,
            spec("profile"),
            format!("{} cannot be the name of a NotebookProfile", seen(profile)),
            "name one in lower case, or leave it out",
        ));
    }
}

/// The workspace ID as far as it is known, and where it was written.
fn workspace(notebook: &Notebook) -> Option<(String, FieldPath)> {
    match &notebook.spec.workspace_id {
        Some(id) => Some((id.clone(), spec("workspaceID"))),
        None => object_name::of(&notebook.metadata),
    }
}

/// Says what was changed of the identity. A field that was removed was changed; one that says now what its absence said
/// before was not.
pub(crate) fn check_change(old: &Notebook, new: &Notebook, findings: &mut Vec<Finding>) {
    let mut changed = |field: &str, was: Option<&str>, is: Option<&str>| {
        let text = |value: Option<&str>| value.map_or("absent".to_owned(), seen);
        findings.push(Finding::new(
            Code::NotebookIdentityImmutable,
            spec(field),
            format!("cannot be changed: it was {} and would be {}", text(was), text(is)),
            "keep it, or create another Notebook",
        ));
    };
    let (was, is) = (old.spec.workspace_id.as_deref(), new.spec.workspace_id.as_deref());
    let same = match (was, is) {
        (Some(was), Some(is)) => was == is,
        (None, Some(is)) => old.name() == is,
        (was, None) => was.is_none(),
    };
    if !same {
        changed("workspaceID", was, is);
    }
    if old.server_name() != new.server_name() {
        changed("serverName", old.spec.server_name.as_deref(), new.spec.server_name.as_deref());
    }
    let text = |scheme| match scheme {
        NameScheme::Strict => "Strict",
        NameScheme::Safe => "Safe",
    };
    let (was, is) = (old.spec.name_scheme, new.spec.name_scheme);
    if was != is {
        changed("nameScheme", Some(text(was)), Some(text(is)));
    }
}
