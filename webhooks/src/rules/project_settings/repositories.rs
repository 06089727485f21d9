//! Repositories of a project can be cloned. Only the user interface of the platform reads them, so this rule only
//! warns.

use sojourn_crds::ambient::ProjectSettingsSpec;

use super::spec;
use crate::finding::Finding;
use crate::rules::git;

/// Reports what is wrong with their URLs.
pub(crate) fn check(of: &ProjectSettingsSpec, findings: &mut Vec<Finding>) {
    for (index, repository) in of.repositories.iter().enumerate() {
        git::check_url(&spec("repositories").index(index).child("url"), repository.url.trim(), findings);
    }
}
