//! Passes of the operator over the session of a [`Cluster`], as the shell carries them out.

use super::cluster::{Cluster, live};
use crate::core::{
    amalthea::{
        Applied, ChildError, Plan,
        conditions::condition_types,
        status::{self, TimeoutAction},
    },
    conditions::assert_documented,
    merge,
    object::Kind,
    workload::Release,
};
use serde_json::json;
use sojourn_crds::amalthea::AmaltheaSessionStatus;

impl Cluster {
    /// One call of the operator; false when it was killed before.
    pub(super) fn call(&mut self, what: String) -> bool {
        match &mut self.calls_left {
            Some(0) => return false,
            Some(left) => *left -= 1,
            None => {}
        }
        self.log.push(what);
        true
    }

    /// One pass of the operator; the number of its calls.
    pub(super) fn pass(&mut self) -> usize {
        let before = self.log.len();
        if self.session.is_null() {
            let jobs: Vec<Release> = self
                .objects
                .iter()
                .filter_map(|(key, object)| Release::of_orphan(&live(key.0, object)))
                .collect();
            jobs.iter().for_each(|job| self.release(job));
        } else {
            self.pass_over_session();
        }
        self.log.len() - before
    }

    fn pass_over_session(&mut self) {
        self.requeue_at = None;
        if self.session.get("spec").is_none() {
            let report = status::without_spec(&self.typed(), self.now);
            return self.write_status(&report.status);
        }
        let observed = self.observed();
        let plan = self.plan_for(&observed);
        if let Some(run) = &plan.begin_run {
            let mut status = self.status();
            status.run_id = Some(run.clone());
            return self.write_status(&status);
        }
        let applied = self.carry_out(&plan);
        if self.session.is_null() {
            return;
        }
        let report = status::status(&self.checked(&observed.session), &observed, &applied, &self.context());
        self.requeue_at = report.requeue_at;
        self.write_status(&report.status);
        match report.timeout_action {
            Some(TimeoutAction::Hibernate(due)) if self.call(format!("hibernate {:?}", due.why)) => {
                self.edit("hibernated", json!(true));
            }
            Some(TimeoutAction::Delete(due)) if self.call(format!("delete session {:?}", due.why)) => {
                self.delete_session();
            }
            _ => {}
        }
    }

    fn write_status(&mut self, status: &AmaltheaSessionStatus) {
        assert_documented(&status.conditions, &condition_types());
        let old = self.session.get("status").cloned().unwrap_or_else(|| json!({}));
        let new = serde_json::to_value(status).unwrap();
        if let Some(patch) = merge::difference(&old, &new)
            && self.call(format!("status {patch}"))
        {
            self.session["status"] = new;
        }
    }

    pub(super) fn carry_out(&mut self, plan: &Plan) -> Applied {
        let mut applied = Applied { errors: plan.blocked.clone(), ..Applied::default() };
        for release in &plan.release {
            self.release(release);
            let key = (Kind::Job, release.name.clone());
            applied.deleted.extend((!self.objects.contains_key(&key)).then_some(key));
        }
        for delete in &plan.delete {
            let key = (delete.kind, delete.name.clone());
            assert_eq!(self.objects[&key]["metadata"]["uid"], json!(delete.uid), "only that very object");
            if self.call(format!("delete {} {}", delete.kind, delete.name)) {
                self.delete_object(&key);
                applied.deleted.push(key);
            }
        }
        for write in &plan.write {
            let (kind, name) = write.target();
            match self.write(write) {
                Ok(Some(object)) => {
                    applied.children.insert((kind, name.to_owned()), live(kind, &object));
                }
                Ok(None) => {}
                Err((class, message)) => {
                    applied.errors.push(ChildError { kind, name: name.to_owned(), class, message })
                }
            }
        }
        let mut kept = false;
        for name in &plan.delete_secrets {
            if self.call(format!("delete Secret {name}")) {
                self.secrets.remove(name);
            } else {
                kept = true;
            }
        }
        if let Some(finalizers) = plan.finalizers.as_ref().filter(|_| !kept)
            && self.call(format!("finalizers {finalizers:?}"))
        {
            self.session["metadata"]["finalizers"] = json!(finalizers);
            if self.session["metadata"].get("deletionTimestamp").is_some() {
                self.delete_session();
            }
        }
        applied
    }

    fn release(&mut self, release: &Release) {
        if !self.call(format!("release Job {}", release.name)) {
            return;
        }
        let key = (Kind::Job, release.name.clone());
        let job = self.objects.get_mut(&key).unwrap();
        assert_eq!(job["metadata"]["resourceVersion"], json!(release.resource_version));
        job["metadata"]["finalizers"] = json!(release.finalizers);
        if job["metadata"].get("deletionTimestamp").is_some() {
            self.delete_object(&key);
        }
    }

    /// Passes and controllers in turn until nothing moves any more; the number of rounds.
    pub(super) fn settle(&mut self) -> usize {
        for round in 0..20 {
            let calls = self.pass();
            if !self.run_controllers() && calls == 0 {
                return round;
            }
        }
        panic!("no fixed point; the last calls were {:#?}", &self.log[self.log.len().saturating_sub(12)..]);
    }
}
