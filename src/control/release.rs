//! Takes our finalizers off everything that has one, so that nothing waits for an operator that is gone.
//!
//! What is decided for an object is in [`crate::core::release`]. Each write names the version that was looked at: a Job
//! that ends meanwhile is looked at again, and is not let go before its result is on record.

use super::{
    amalthea, api,
    context::Context,
    errors::{CallError, backoff},
    key::Key,
    watch::parts,
    workload::settle::{Settle, SettleError, Settler},
};
use crate::{
    core::{
        error::ErrorClass,
        object::{CachedObject, Kind},
        release::{Step, is_job_due, step},
    },
    settings::{Scope, Settings},
};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use kube::{
    Api,
    api::ListParams,
    core::{ApiResource, DynamicObject},
};
use serde_json::json;
use sojourn_crds::finalizers;
use std::{fmt, sync::Arc};

/// Objects in a page of a list. Only their metadata is asked for.
const PAGE: u32 = 500;
/// Objects that are released at a time.
const AT_A_TIME: usize = 16;
/// How often an object is tried. All tries together take less than a minute.
const TRIES: u32 = 8;

/// What became of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Kind and name, for people.
    pub object: String,
    /// What was done, or why it was not.
    pub result: Result<Done, String>,
}

/// What was done for an object that is released.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The result of its session was put on record.
    pub recorded: bool,
    /// It was being deleted, and what goes with it was deleted.
    pub finished: bool,
    /// What should have been done before, and why it was not.
    pub left: Option<String>,
}

/// An object could not be released.
#[derive(Debug, thiserror::Error)]
enum ReleaseError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("its session cannot be settled: {0}")]
    Settle(#[from] SettleError),
}

impl ReleaseError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Call(error) => error.class(),
            Self::Settle(error) => error.class(),
        }
    }

    /// Whether it is worth trying again.
    fn passes(&self) -> bool {
        let lost = matches!(
            self,
            Self::Call(CallError::NotLeading) | Self::Settle(SettleError::Call(CallError::NotLeading))
        );
        !lost && self.class().passes()
    }
}

/// Objects of one kind that may have finalizers of ours.
struct Target {
    kind: &'static str,
    resource: ApiResource,
    ours: Vec<&'static str>,
    /// Where they are; `None` is everywhere.
    parts: Vec<Option<String>>,
}

impl Target {
    /// Whether the objects are the Jobs of sessions, and not sessions.
    fn is_jobs(&self) -> bool {
        self.kind == Kind::Job.name()
    }
}

/// Jobs come first: a session that is let go may take its Job along.
fn targets(scope: &Scope) -> Vec<Target> {
    let jobs = Target {
        kind: Kind::Job.name(),
        resource: api::resource(Kind::Job),
        ours: finalizers::on_jobs(),
        parts: parts(scope),
    };
    let in_scope = |row: &&finalizers::Finalizers| row.kind.is_namespaced() || *scope == Scope::Cluster;
    let sessions = finalizers::TABLE.iter().filter(in_scope).map(|row| Target {
        kind: row.kind.kind,
        resource: api::described(row.kind),
        ours: row.on_sessions.to_vec(),
        parts: if row.kind.is_namespaced() { parts(scope) } else { vec![None] },
    });
    std::iter::once(jobs).chain(sessions).filter(|target| !target.ours.is_empty()).collect()
}

/// The table: kinds whose sessions have something to settle.
pub fn settlers(context: &Context, settings: &Settings) -> Vec<Arc<dyn Settle>> {
    let amalthea = amalthea::Reconciler::new(context.clone(), settings.sessions.clone());
    vec![Arc::new(Settler::new(amalthea))]
}

/// Takes finalizers off, while it leads.
pub struct Releaser {
    context: Context,
    scope: Scope,
    settlers: Vec<Arc<dyn Settle>>,
}

impl Releaser {
    /// Works in the scope of `settings`.
    pub fn new(context: &Context, settings: &Settings) -> Self {
        let settlers = settlers(context, settings);
        Self { context: context.clone(), scope: settings.scope.clone(), settlers }
    }

    /// Releases everything, and reports each object to `tell`.
    pub async fn run(&self, tell: &mut (dyn FnMut(Outcome) + Send)) {
        for target in targets(&self.scope) {
            for part in &target.parts {
                let list = api::of_resource(&self.context.client, &target.resource, part.as_deref());
                let keys = match held(&list, &target.ours).await {
                    Ok(keys) => keys,
                    // A kind that the cluster does not serve has no objects.
                    Err(error) if error.is_not_found() => continue,
                    Err(error) => {
                        let place = part.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
                        let object = format!("every {}{place}", target.kind);
                        tell(Outcome { object, result: Err(format!("they cannot be listed: {error}")) });
                        continue;
                    }
                };
                let mut outcomes =
                    stream::iter(keys).map(|key| self.release(&target, key)).buffer_unordered(AT_A_TIME);
                while let Some(outcome) = outcomes.next().await {
                    tell(outcome);
                }
            }
        }
    }

    async fn release(&self, target: &Target, key: Key) -> Outcome {
        let namespace = Some(&*key.namespace).filter(|namespace| !namespace.is_empty());
        let api = api::of_resource(&self.context.client, &target.resource, namespace);
        let object = format!("{} {key}", target.kind);
        let (mut done, mut settled, mut failures) = (Done::default(), None, 0);
        loop {
            let error = match self.look(target, &api, &key, &mut done, &mut settled).await {
                Ok(true) => return Outcome { object, result: Ok(done) },
                Ok(false) => continue,
                Err(error) => error,
            };
            failures += 1;
            if error.passes() && failures < TRIES {
                tokio::time::sleep(backoff(error.class(), failures, rand::random())).await;
                continue;
            }
            match error {
                // The deletion of a session is not held up by what should have gone with it; a result is worth more.
                ReleaseError::Settle(error) if !target.is_jobs() && done.left.is_none() => {
                    done.left = Some(error.to_string());
                    failures = 0;
                }
                error => return Outcome { object, result: Err(error.to_string()) },
            }
        }
    }

    /// Looks at an object and does the next step for it. Returns whether that was the last. `settled` is the version of
    /// the object that its session was settled for.
    async fn look(
        &self,
        target: &Target,
        api: &Api<DynamicObject>,
        key: &Key,
        done: &mut Done,
        settled: &mut Option<String>,
    ) -> Result<bool, ReleaseError> {
        self.context.may_write()?;
        let Some(object) = api::find(api, &key.name).await? else { return Ok(true) };
        let existing = object.metadata.finalizers.clone().unwrap_or_default();
        let version = object.metadata.resource_version.clone().unwrap_or_default();
        let due = self.settler(target, &object).filter(|_| is_due(target, &object));
        let is_settled = done.left.is_some() || settled.as_ref() == Some(&version);
        match step(&existing, &target.ours, due.is_some(), is_settled) {
            Step::Leave => Ok(true),
            Step::Settle => {
                if let Some((settler, session)) = due {
                    if target.is_jobs() {
                        done.recorded |= settler.record(&session, Timestamp::now()).await?;
                    } else {
                        settler.finish(&session, Timestamp::now()).await?;
                        done.finished = true;
                    }
                }
                *settled = Some(version);
                Ok(false)
            }
            Step::TakeOff(left) => {
                self.context.may_write()?;
                let patch = json!({"metadata": {"resourceVersion": version, "finalizers": left}});
                match api::merge(api, &key.name, &patch).await {
                    Err(error) if !error.is_not_found() => Err(error.into()),
                    _ => Ok(true),
                }
            }
        }
    }

    /// Who settles the session that an object is, or belongs to, and the name of that session.
    fn settler(&self, target: &Target, object: &DynamicObject) -> Option<(&dyn Settle, Key)> {
        let key = Key::of(object)?;
        if !target.is_jobs() {
            let settler = self.settlers.iter().find(|settler| settler.kind() == target.kind)?;
            return Some((&**settler, key));
        }
        let labels = object.metadata.labels.as_ref()?;
        self.settlers.iter().find_map(|settler| {
            let session = settler.session_of(labels)?;
            Some((&**settler, Key::new(&key.namespace, &session)))
        })
    }
}

/// Whether something depends on our finalizer of an object now.
fn is_due(target: &Target, object: &DynamicObject) -> bool {
    if !target.is_jobs() {
        return object.metadata.deletion_timestamp.is_some();
    }
    CachedObject::from_dynamic(Kind::Job, object.clone()).is_some_and(|job| is_job_due(&job))
}

/// Names of the objects of a list that have one of these finalizers.
async fn held(list: &Api<DynamicObject>, ours: &[&str]) -> Result<Vec<Key>, CallError> {
    let mut keys = Vec::new();
    let mut next = Some(ListParams::default().limit(PAGE));
    while let Some(params) = next {
        let page = api::within(list.list_metadata(&params)).await?;
        next = api::next_page(&params, &page.metadata);
        let is_held = |finalizer: &String| ours.contains(&finalizer.as_str());
        let found = page.items.iter().filter(|it| it.metadata.finalizers.iter().flatten().any(is_held));
        keys.extend(found.filter_map(Key::of));
    }
    Ok(keys)
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            Err(error) => write!(f, "FAIL      {}: {error}", self.object),
            Ok(done) => {
                write!(f, "released  {}", self.object)?;
                if done.recorded {
                    f.write_str("; the result of its session is on record now")?;
                }
                if done.finished {
                    f.write_str("; it was being deleted, and what goes with it is deleted")?;
                }
                done.left.iter().try_for_each(|left| write!(f, "; not everything went with it: {left}"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
