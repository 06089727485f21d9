//! Carries out a plan. Every write is attempted, also when others fail.

use super::{ControlledKind, Reconciler};
use crate::{
    control::{api, errors::CallError, key::Key},
    core::{
        error::ErrorClass,
        manifest::Write,
        object::{CachedObject, Kind},
        workload::{Applied, ChildError, Delete, Plan, Release, foreign},
    },
    telemetry::metrics::Verb,
};
use kube::{Api, core::DynamicObject};
use serde_json::json;
use std::sync::Arc;

/// Whether a workload is not to be made because what it would mount belongs to somebody else.
fn must_wait<K: ControlledKind>(write: &Write, applied: &Applied) -> bool {
    let workload = matches!(write, Write::Create { kind, .. } if K::WORKLOADS.contains(kind));
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

impl<K: ControlledKind> Reconciler<K> {
    /// Carries out `plan` for `session`.
    pub(super) async fn apply(&self, session: &K, plan: &Plan) -> Applied {
        let mut applied = Applied { errors: plan.blocked.clone(), ..Applied::default() };
        for release in &plan.release {
            let result = self.release(release).await.map(|gone| {
                applied.deleted.extend(gone.then(|| (Kind::Job, release.name.clone())));
            });
            note(&mut applied, Kind::Job, &release.name, result);
        }
        for delete in &plan.delete {
            let result = self.delete_child(delete, session).await;
            if result.is_ok() {
                applied.deleted.push((delete.kind, delete.name.clone()));
            }
            note(&mut applied, delete.kind, &delete.name, result);
        }
        for write in &plan.write {
            if must_wait::<K>(write, &applied) {
                continue;
            }
            let (kind, name) = write.target();
            let result = match self.write(write, session).await {
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
            let result = self.delete_adopted(session, name).await;
            secrets_gone &= result.is_ok();
            note(&mut applied, Kind::Secret, name, result);
        }
        if let Some(finalizers) = plan.finalizers.as_ref().filter(|_| secrets_gone)
            && let Err(error) = self.set_finalizers(session, finalizers).await
            && !error.is_not_found()
        {
            let error = child_error(Kind::Secret, "finalizer of the session", &error);
            applied.errors.push(error);
        }
        applied
    }

    async fn write(&self, write: &Write, session: &K) -> Result<Written, CallError> {
        self.context.may_write()?;
        let (kind, name) = write.target();
        let key = Key::new(session.namespace(), session.name());
        let api = self.api(kind, Some(session.namespace()));
        let object = match write {
            Write::Create { manifest, .. } => match api::create(&api, manifest.clone()).await {
                Err(error) if error.is_already_exists() => {
                    let Some(found) = api::find(&api, name).await? else { return Err(error) };
                    let live = cached(kind, found.clone())?;
                    // Ours is one that an earlier pass made and that we have not heard of yet.
                    let is_ours = live.owner.as_deref() == Some(session.uid());
                    if !is_ours && let Some(obstacle) = foreign::obstacle(session, manifest, &live) {
                        return Ok(Written::Foreign(obstacle));
                    }
                    found
                }
                created => created?,
            },
            Write::Apply { manifest, takeover, clear, .. } => {
                let before = self.index.read().child(&key, kind, name);
                if let Some(live) = before.filter(|live| self.is_applied(&key, manifest, live)) {
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
        self.context.wrote::<K>(Verb::Apply);
        let live = self.store_child(kind, object)?;
        if let Write::Apply { manifest, .. } = write {
            self.remember_applied(&key, manifest, &live);
        }
        Ok(Written::Ours(live))
    }

    /// The API of a kind of child.
    fn api(&self, kind: Kind, namespace: Option<&str>) -> Api<DynamicObject> {
        api::api(&self.context.client, kind, namespace)
    }

    /// Takes in what the API server answered to a write, ahead of the watch.
    fn store_child(&self, kind: Kind, object: DynamicObject) -> Result<Arc<CachedObject>, CallError> {
        let live = cached(kind, object)?;
        self.index.write().apply_object(live.clone());
        Ok(Arc::new(live))
    }

    /// Takes our finalizer off a Job. Returns whether the Job went with it.
    pub(super) async fn release(&self, release: &Release) -> Result<bool, CallError> {
        self.context.writes::<K>(Verb::Patch)?;
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

    async fn delete_child(&self, delete: &Delete, session: &K) -> Result<(), CallError> {
        self.context.writes::<K>(Verb::Delete)?;
        let api = self.api(delete.kind, Some(session.namespace()));
        match api::delete(&api, &delete.name, &delete.uid).await? {
            Some(object) => {
                self.store_child(delete.kind, object)?;
            }
            None => {
                let key = Key::new(session.namespace(), session.name());
                self.index.write().forget(&key, delete.kind, &delete.name, &delete.uid);
            }
        }
        Ok(())
    }

    /// Deletes a secret that the session adopted, unless the secret says that it is somebody else's.
    async fn delete_adopted(&self, session: &K, name: &str) -> Result<(), CallError> {
        self.context.writes::<K>(Verb::Delete)?;
        let api = self.api(Kind::Secret, Some(session.namespace()));
        let Some(secret) = api::find(&api, name).await? else { return Ok(()) };
        let Some(secret) = CachedObject::from_dynamic(Kind::Secret, secret) else { return Ok(()) };
        if let Some(event) = session.keep_secret(&secret) {
            self.context.publish(session, &event).await;
            return Ok(());
        }
        api::delete(&api, name, &secret.uid).await.map(|_| ())
    }

    pub(super) async fn set_finalizers(&self, session: &K, finalizers: &[String]) -> Result<(), CallError> {
        let object = self.context.set_finalizers(session, finalizers).await?;
        if object.metadata.deletion_timestamp.is_some() && finalizers.is_empty() {
            self.index.write().remove_session(&Key::new(session.namespace(), session.name()));
        } else {
            self.store_session(object);
        }
        Ok(())
    }
}

/// An object as it is kept.
fn cached(kind: Kind, object: DynamicObject) -> Result<CachedObject, CallError> {
    let nameless = || CallError::Unreadable(serde::de::Error::custom("the object has no name"));
    CachedObject::from_dynamic(kind, object).ok_or_else(nameless)
}
