//! References to secrets have names, and a session adopts only what the requester may delete.
//!
//! The original deletes every adopted secret together with the session, with its own rights: whoever may create a
//! session may so delete any secret of the namespace. Without a name a workload is refused by Kubernetes, or waits
//! for ever. On `dataSources[]` without `secretRef` the original crashes at every pass.

use std::collections::BTreeMap;

use sojourn_crds::amalthea::{AmaltheaSession, AmaltheaSessionSpec, secrets::secret_references};

use super::{Subject, spec};
use crate::facts::{Access, AccessQuestion, Facts, MOST_QUESTIONS};
use crate::finding::{Code, FieldPath, Finding, seen};
use crate::kind::Change;

/// Says which references are incomplete.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (index, source) in subject.spec.data_sources.iter().enumerate() {
        if source.secret_ref.is_none() {
            findings.push(Finding::new(
                Code::DataSourceSecretMissing,
                spec("dataSources").index(index).child("secretRef"),
                "a data source needs the secret that says how its storage is reached",
                "set secretRef.name",
            ));
        }
    }
    let references = secret_references(subject.spec).into_iter();
    for reference in references.filter(|reference| reference.needed && reference.name.is_empty()) {
        findings.push(Finding::new(
            Code::SecretNameMissing,
            FieldPath::new(&reference.path).child("name"),
            "the name of the secret is empty",
            "name the secret",
        ));
    }
}

/// Says which secrets the requester may not hand over to the session.
pub(crate) fn check_adoption(
    change: &Change<'_, AmaltheaSession>,
    facts: &dyn Facts,
    findings: &mut Vec<Finding>,
) {
    let adopted = adopted(change);
    if adopted.len() > MOST_QUESTIONS {
        findings.push(Finding::new(
            Code::TooManyAdoptions,
            FieldPath::new("spec"),
            format!("{} secrets are to be adopted at once, and {MOST_QUESTIONS} are allowed", adopted.len()),
            "set adopt to false for some of them, or adopt them in several updates",
        ));
        return;
    }
    for (path, question) in adopted {
        let user = change.request.user_name();
        let (message, hint) = match facts.may(&question) {
            Access::Allowed => continue,
            Access::Denied => (
                format!(
                    "user {} may not delete secret {}, so its session may not",
                    seen(user),
                    seen(&question.name)
                ),
                "set adopt to false, or ask for the right to delete it",
            ),
            Access::Unknown => (
                format!("cannot tell whether user {} may delete secret {}", seen(user), seen(&question.name)),
                "try again, or set adopt to false",
            ),
        };
        findings.push(Finding::new(Code::AdoptionForbidden, path.child("adopt"), message, hint));
    }
}

/// What has to be asked before the request can be judged: one question for each secret that is adopted anew, and none if
/// there are so many that the request is refused anyway.
pub(crate) fn access_reviews(change: &Change<'_, AmaltheaSession>) -> Vec<AccessQuestion> {
    let adopted = adopted(change);
    if adopted.len() > MOST_QUESTIONS {
        return Vec::new();
    }
    adopted.into_iter().map(|(_, question)| question).collect()
}

fn adopted(change: &Change<'_, AmaltheaSession>) -> Vec<(FieldPath, AccessQuestion)> {
    let Change { request, object: session, old } = *change;
    let names = |spec: &AmaltheaSessionSpec| -> BTreeMap<String, FieldPath> {
        let references = secret_references(spec).into_iter();
        let adopted = references.filter(|reference| reference.adopt && !reference.name.is_empty());
        // A secret that is named twice is asked about once, for the place where it is named first.
        adopted.fold(BTreeMap::new(), |mut found, reference| {
            found.entry(reference.name.to_owned()).or_insert_with(|| FieldPath::new(&reference.path));
            found
        })
    };
    let known = old.and_then(|old| old.spec.as_ref()).map(names).unwrap_or_default();
    let new = session.spec.as_ref().map(names).unwrap_or_default();
    let anew = new.into_iter().filter(|(name, _)| !known.contains_key(name));
    let namespace = if request.namespace.is_empty() { session.namespace() } else { request.namespace };
    anew.map(|(name, path)| {
        let question = AccessQuestion {
            verb: "delete",
            group: "",
            resource: "secrets",
            namespace: namespace.to_owned(),
            name,
        };
        (path, question)
    })
    .collect()
}
