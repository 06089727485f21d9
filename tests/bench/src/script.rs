//! What the operator makes for a session, for a script that makes the same without it.

use crate::{fixture, input};
use serde_json::Value;
use sojourn::core::{
    amalthea::{plan, validate},
    manifest::Write,
    object::Kind,
};
use sojourn_crds::amalthea::AmaltheaSession;

/// The StatefulSet of a small session.
pub(crate) fn stateful_set(name: &str) -> Value {
    of_session(name)
        .into_iter()
        .find(|(kind, _)| *kind == Kind::StatefulSet)
        .map(|(_, manifest)| manifest)
        .unwrap_or_default()
}

/// What a small session has beside its StatefulSet.
pub(crate) fn beside(name: &str) -> Vec<Value> {
    let others = of_session(name).into_iter().filter(|(kind, _)| *kind != Kind::StatefulSet);
    others.map(|(_, manifest)| manifest).collect()
}

/// The manifests of a plan, but without an owner: there is none, and what belongs to nobody would be collected.
fn of_session(name: &str) -> Vec<(Kind, Value)> {
    let mut session = fixture::small_session(name);
    session["metadata"]["uid"] = fixture::UID.into();
    let Ok(session) = serde_json::from_value::<AmaltheaSession>(session) else { return Vec::new() };
    let observed = input::new_session(session);
    let settings = input::settings();
    let context = input::context(&settings, jiff::Timestamp::now());
    let Some(checked) = validate(&observed.session, Vec::new()) else { return Vec::new() };
    let writes = plan(&checked, &observed, &context).write.into_iter();
    let made = writes.filter_map(|write| match write {
        Write::Create { kind, mut manifest, .. } => {
            let metadata = manifest["metadata"].as_object_mut()?;
            metadata.remove("namespace");
            metadata.remove("ownerReferences");
            Some((kind, manifest))
        }
        Write::Apply { .. } => None,
    });
    made.collect()
}
