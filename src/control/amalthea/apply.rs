//! Carries out a plan. Every write is attempted, whatever became of the others.

use super::Reconciler;
use crate::{
    control::{api, errors::CallError, key::Key},
    core::{
        amalthea::{
            Applied, ChildError, Plan, adoption,
            plan::{Delete, Release, taken},
        },
        error::ErrorClass,
        event::EventRecord,
        manifest::Write,
        object::{CachedObject, Kind},
    },
    telemetry::metrics::Verb,
};
use kube::{Api, core::DynamicObject};
use serde_json::json;
use sojourn_crds::amalthea::AmaltheaSession;
use std::sync::Arc;

/// Carries out `plan` for `session`.
pub async fn apply(reconciler: &Reconciler, session: &AmaltheaSession, plan: &Plan) -> Applied {
    let mut applied = Applied { errors: plan.blocked.clone(), ..Applied::default() };
    for release in &plan.release {
        let result = reconciler.release(release).await.map(|gone| {
            applied.deleted.extend(gone.then(|| (Kind::Job, release.name.clone())));
        });
        note(&mut applied, Kind::Job, &release.name, result);
    }
    for delete in &plan.delete {
        let result = reconciler.delete_child(delete, session).await;
        if result.is_ok() {
            applied.deleted.push((delete.kind, delete.name.clone()));
        }
        note(&mut applied, delete.kind, &delete.name, result);
    }
    for write in &plan.write {
        if must_wait(write, &applied) {
            continue;
        }
        let (kind, name) = write.target();
        let result = match reconciler.write(write, session).await {
            Ok(Written::Ours(live)) => {
                applied.children.insert((kind, name.to_owned()), live);
                Ok(())
            }
            Ok(Written::Foreign(error)) => {
                applied.errors.push(error);
                Ok(())
            }
            Err(error) => Err(error),
        };
        note(&mut applied, kind, name, result);
    }
    let mut secrets_gone = true;
    for name in &plan.delete_secrets {
        let result = reconciler.delete_adopted(session, name).await;
        secrets_gone &= result.is_ok();
        note(&mut applied, Kind::Secret, name, result);
    }
    if let Some(finalizers) = plan.finalizers.as_ref().filter(|_| secrets_gone)
        && let Err(error) = reconciler.set_finalizers(session, finalizers).await
        && !error.is_not_found()
    {
        let error = child_error(Kind::Secret, "finalizer of the session", &error);
        applied.errors.push(error);
    }
    applied
}

/// Whether a workload is not to be made because what it would mount belongs to somebody else.
fn must_wait(write: &Write, applied: &Applied) -> bool {
    let workload =
        matches!(write, Write::Create { kind, .. } if matches!(kind, Kind::StatefulSet | Kind::Job));
    workload
        && applied.errors.iter().any(|error| {
            error.class == ErrorClass::Foreign
                && matches!(error.kind, Kind::PersistentVolumeClaim | Kind::Secret)
        })
}

/// What a write found.
enum Written {
    /// The child, as the API server has it now.
    Ours(Arc<CachedObject>),
    /// An object of that name that belongs to somebody else.
    Foreign(ChildError),
}

fn note(applied: &mut Applied, kind: Kind, name: &str, result: Result<(), CallError>) {
    if let Err(error) = result {
        applied.errors.push(child_error(kind, name, &error));
    }
}

fn child_error(kind: Kind, name: &str, error: &CallError) -> ChildError {
    ChildError { kind, name: name.to_owned(), class: error.class(), message: error.to_string() }
}

impl Reconciler {
    async fn write(&self, write: &Write, session: &AmaltheaSession) -> Result<Written, CallError> {
        self.context.may_write()?;
        let (kind, name) = write.target();
        let key = Key::new(session.namespace(), session.name());
        let api = self.api(kind, Some(session.namespace()));
        let object = match write {
            Write::Create { manifest, .. } => match api::create(&api, manifest.clone()).await {
                Err(error) if error.is_already_exists() => {
                    match api::find(&api, name).await? {
                        Some(found) if !is_controlled_by(&found, session) => {
                            return Ok(Written::Foreign(taken(kind, name, ErrorClass::Foreign)));
                        }
                        // Ours: made by an earlier pass that we have not heard of yet.
                        Some(found) => found,
                        None => return Err(error),
                    }
                }
                created => created?,
            },
            Write::Apply { manifest, takeover, clear, .. } => {
                let before = self.index.read().child(&key, kind, name);
                if let Some(live) = before.filter(|live| self.is_settled(&key, manifest, live)) {
                    return Ok(Written::Ours(live));
                }
                if let Some(clear) = clear {
                    api::merge(&api, name, clear).await?;
                }
                if *takeover
                    && let Some(found) = api::find(&api, name).await?
                    && let Some(patch) = api::takeover(&found)
                {
                    api::merge(&api, name, &patch).await?;
                }
                api::apply(&api, name, manifest).await?
            }
        };
        self.context.wrote::<AmaltheaSession>(Verb::Apply);
        match self.learn(kind, object) {
            Some(live) => {
                if let Write::Apply { manifest, .. } = write {
                    self.settle(&key, manifest, &live);
                }
                Ok(Written::Ours(live))
            }
            None => Err(CallError::Unreadable(serde::de::Error::custom("the object has no name"))),
        }
    }

    /// The API of a kind of child.
    fn api(&self, kind: Kind, namespace: Option<&str>) -> Api<DynamicObject> {
        api::api(&self.context.client, kind, namespace)
    }

    /// Takes in what the API server answered to a write, ahead of the watch.
    fn learn(&self, kind: Kind, object: DynamicObject) -> Option<Arc<CachedObject>> {
        let live = CachedObject::from_dynamic(kind, object)?;
        self.index.write().apply_object(live.clone());
        Some(Arc::new(live))
    }

    /// Takes our finalizer off a Job. Returns whether the Job went with it.
    pub(super) async fn release(&self, release: &Release) -> Result<bool, CallError> {
        self.context.writes::<AmaltheaSession>(Verb::Patch)?;
        let api = self.api(Kind::Job, Some(&release.namespace));
        let patch = json!({"metadata": {
            "resourceVersion": release.resource_version,
            "finalizers": release.finalizers,
        }});
        match api::merge(&api, &release.name, &patch).await {
            Ok(job) => {
                let Some(live) = CachedObject::from_dynamic(Kind::Job, job) else { return Ok(false) };
                // The last finalizer of an object that is being deleted takes the object along.
                let gone = live.deleting && live.finalizers.is_empty();
                let mut index = self.index.write();
                if gone {
                    index.remove_object(live);
                } else {
                    index.apply_object(live);
                }
                Ok(gone)
            }
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn delete_child(&self, delete: &Delete, session: &AmaltheaSession) -> Result<(), CallError> {
        self.context.writes::<AmaltheaSession>(Verb::Delete)?;
        let api = self.api(delete.kind, Some(session.namespace()));
        match api::delete(&api, &delete.name, &delete.uid).await? {
            Some(object) => {
                self.learn(delete.kind, object);
            }
            None => {
                let key = Key::new(session.namespace(), session.name());
                self.index.write().forget(&key, delete.kind, &delete.name, &delete.uid);
            }
        }
        Ok(())
    }

    /// Deletes a secret that the session adopted, unless the secret says that it is somebody else's.
    async fn delete_adopted(&self, session: &AmaltheaSession, name: &str) -> Result<(), CallError> {
        self.context.writes::<AmaltheaSession>(Verb::Delete)?;
        let api = self.api(Kind::Secret, Some(session.namespace()));
        let Some(secret) = api::find(&api, name).await? else { return Ok(()) };
        let owners = secret.metadata.owner_references.as_deref().unwrap_or_default();
        let owner =
            owners.iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str());
        let labels = secret.metadata.labels.clone().unwrap_or_default();
        if let Some(objection) = adoption::objection(session.name(), session.uid(), owner, &labels) {
            let message = format!("The adopted secret {name} stays: {objection}");
            self.context.publish(session, &EventRecord::warning("SecretKept", message)).await;
            return Ok(());
        }
        let uid = secret.metadata.uid.unwrap_or_default();
        api::delete(&api, name, &uid).await.map(|_| ())
    }

    pub(super) async fn set_finalizers(
        &self,
        session: &AmaltheaSession,
        finalizers: &[String],
    ) -> Result<(), CallError> {
        let object = self.context.set_finalizers(session, finalizers).await?;
        if object.metadata.deletion_timestamp.is_some() && finalizers.is_empty() {
            self.index.write().remove_session(&Key::new(session.namespace(), session.name()));
        } else {
            self.learn_session(object);
        }
        Ok(())
    }
}

fn is_controlled_by(object: &DynamicObject, session: &AmaltheaSession) -> bool {
    let owners = object.metadata.owner_references.as_deref().unwrap_or_default();
    owners.iter().any(|owner| owner.controller == Some(true) && owner.uid == session.uid())
}
