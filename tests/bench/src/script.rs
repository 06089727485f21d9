//! What the operator makes for a session, for a script that makes the same without it.

use crate::{fixture, steps};
use serde_json::Value;
use sojourn::core::{
    amalthea::{Observed, PlanContext, plan, validate},
    manifest::Write,
    object::Kind,
};
use sojourn_crds::amalthea::AmaltheaSession;
use std::{collections::BTreeMap, sync::Arc};

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
    let observed = Observed {
        session: Arc::new(session),
        children: BTreeMap::new(),
        pods: Vec::new(),
        warnings: Vec::new(),
        measurements: Default::default(),
        gone: None,
        shared_secrets: Vec::new(),
        same_route: Vec::new(),
    };
    let settings = steps::settings();
    let context = PlanContext { now: jiff::Timestamp::now(), entropy: [7; 32], settings: &settings };
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
