//! References to secrets have names, and a session adopts only what the requester may delete.
//!
//! The original deletes every adopted secret together with the session, with its own rights: whoever may create a
//! session may so delete any secret of the namespace. Without a name a workload is refused by Kubernetes, or waits
//! for ever. On `dataSources[]` without `secretRef` the original crashes at every pass.

use std::collections::BTreeMap;

use sojourn_crds::amalthea::{
    AmaltheaSession, AmaltheaSessionSpec, AuthenticationType,
    secrets::{PLACES, secret_references},
};

use super::{Subject, spec};
use crate::facts::{Access, AccessReview, Facts, MOST_REVIEWS};
use crate::finding::{Code, FieldPath, Finding, seen};
use crate::kind::Change;
use crate::rules::pod::{Report, references};

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

/// Says which names no secret can have, where Kubernetes judges them: where all keys of a secret become variables. A
/// volume may name any secret, and so may the list of pull secrets.
pub(crate) fn check_names(subject: &Subject<'_>, report: &mut Report<'_>) {
    let authentication = subject.spec.authentication.as_ref().filter(|_| subject.has_proxy());
    if let Some(authentication) = authentication.filter(|auth| auth.kind == AuthenticationType::Oidc) {
        let path = spec("authentication").child("secretRef").child("name");
        references::secret_of_variables(report, path, &authentication.secret_ref.name);
    }
    let remote = subject.spec.session.remote_secret_ref.as_ref().filter(|_| subject.is_remote());
    if let Some(secret) = remote {
        let path = spec("session").child("remoteSecretRef").child("name");
        references::secret_of_variables(report, path, &secret.name);
    }
}

/// Says which secrets the requester may not hand over to the session.
pub(crate) fn check_adoption(
    change: &Change<'_, AmaltheaSession>,
    facts: &dyn Facts,
    findings: &mut Vec<Finding>,
) {
    let adopted = adopted(change);
    if adopted.len() > MOST_REVIEWS {
        findings.push(Finding::new(
            Code::TooManyAdoptions,
            FieldPath::new("spec"),
            format!("{} secrets are to be adopted at once, and {MOST_REVIEWS} are allowed", adopted.len()),
            "set adopt to false for some of them, or adopt them in several updates",
        ));
        return;
    }
    for (path, question) in adopted {
        let user = change.request.user_name();
        let (message, hint) = match facts.access(&question) {
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

/// The accesses to review before the verdict: one for each secret that is adopted anew, and none if there are so many that
/// the request is refused anyway.
pub(crate) fn access_reviews(change: &Change<'_, AmaltheaSession>) -> Vec<AccessReview> {
    let adopted = adopted(change);
    if adopted.len() > MOST_REVIEWS {
        return Vec::new();
    }
    adopted.into_iter().map(|(_, review)| review).collect()
}

/// CEL: some reference of the session has `adopt: true`.
pub(crate) fn adoption_in_cel() -> String {
    let chain = |from: &str, fields: &[&str]| {
        let fields: String = fields.iter().map(|field| format!(".?{field}")).collect();
        format!("{from}{fields}.?adopt.orValue(false)")
    };
    let places = PLACES.map(|(list, fields)| match list {
        None => chain("object.?spec", fields),
        Some(list) => {
            format!("object.?spec.?{list}.orValue([]).exists(one, {})", chain("one", fields))
        }
    });
    places.join(" || ")
}

fn adopted(change: &Change<'_, AmaltheaSession>) -> Vec<(FieldPath, AccessReview)> {
    let Change { object: session, old, .. } = *change;
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
    anew.map(|(name, path)| (path, deletion_of(change, &name))).collect()
}

/// May the requester delete the secret `name`?
pub(crate) fn deletion_of(change: &Change<'_, AmaltheaSession>, name: &str) -> AccessReview {
    let Change { request, object: session, .. } = *change;
    let namespace = if request.namespace.is_empty() { session.namespace() } else { request.namespace };
    AccessReview {
        verb: "delete",
        group: "",
        resource: "secrets",
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}
