//! Repositories and the workflow can be cloned, each into a directory of its own.
//!
//! In the original, a clone that fails does not end the session: the runner works without it. So this rule only warns.
//! Of two repositories with the same URL, the last counts; of two with the same directory, the first.

use std::collections::BTreeMap;

use super::{Subject, spec};
use crate::finding::{Code, FieldPath, Finding, seen};
use crate::rules::git;

/// Reports what will not be cloned as intended.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut urls: BTreeMap<&str, FieldPath> = BTreeMap::new();
    let mut directories: BTreeMap<&str, FieldPath> = BTreeMap::new();
    for (index, repository) in subject.spec().repos.iter().enumerate() {
        let item = spec("repos").index(index);
        let path = item.child("url");
        let url = repository.url.trim();
        if !git::check_url(&path, url, findings) {
            continue;
        }
        if let Some(first) = urls.get(url) {
            let message = format!("is the repository of {first} once more");
            findings.push(Finding::new(Code::RepositoryTwice, path, message, "the last one counts"));
            continue;
        }
        urls.insert(url, item.clone());
        let directory = git::directory(url);
        if let Some(first) = directories.get(directory) {
            let message = format!("is cloned into {}, as {first} is", seen(directory));
            findings.push(Finding::new(Code::RepositoryNameTaken, path, message, "only one will be there"));
        } else {
            directories.insert(directory, item);
        }
    }
    if let Some(workflow) = &subject.spec().active_workflow {
        let path = spec("activeWorkflow");
        if let Some(url) = workflow.git_url.as_deref().map(str::trim).filter(|url| !url.is_empty()) {
            git::check_url(&path.child("gitUrl"), url, findings);
        }
        let within = workflow.path.as_deref().unwrap_or_default();
        if within.starts_with('/') || within.split('/').any(|part| part == "..") {
            findings.push(Finding::new(
                Code::WorkflowPathOutside,
                path.child("path"),
                format!("{} does not lie in the repository", seen(within)),
                "",
            ));
        }
    }
}
