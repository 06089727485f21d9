//! The volume of the files is one claim: a claim that can exist, or one that can be made.
//!
//! agentserver mounts whatever claim is named; with a name that no claim can have the pod waits for ever. It makes
//! none, so the template is ours.

use sojourn_crds::dns;
use sojourn_crds::notebook::{ClaimTemplate, Notebook, Reclaim, WorkspaceVolume, names};

use super::{placeholders, resources, spec};
use crate::finding::{Code, FieldPath, Finding, seen};
use crate::rules::metadata;
use crate::rules::mount_paths::Paths;
use crate::rules::pod::{Report, claim};

/// What a claim can be asked to allow.
const ACCESS_MODES: [&str; 4] = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", ONE_POD];
/// The mode that goes with no other.
const ONE_POD: &str = "ReadWriteOncePod";

/// Says what is wrong with the volume.
pub(crate) fn check(notebook: &Notebook, findings: &mut Vec<Finding>) {
    let Some(volume) = &notebook.spec.workspace_volume else { return };
    let path = spec("workspaceVolume");
    Paths::default().add(path.child("mountPath"), &volume.mount_path, findings);
    match (&volume.claim_name, &volume.claim_template) {
        (Some(name), Some(_)) => findings.push(Finding::new(
            Code::ClaimAmbiguous,
            path.clone(),
            format!("names the claim {} and has a template for another", seen(name)),
            "give claimName or claimTemplate, not both",
        )),
        (Some(name), None) => check_name(notebook, &path.child("claimName"), name, findings),
        (None, Some(template)) => check_template(&path.child("claimTemplate"), template, findings),
        (None, None) => {}
    }
    if volume.reclaim == Reclaim::Delete && volume.claim_template.is_none() {
        findings.push(Finding::new(
            Code::ReclaimIgnored,
            path.child("reclaim"),
            "Delete does nothing without claimTemplate",
            "a claim that was there before is kept",
        ));
    }
}

fn check_name(notebook: &Notebook, path: &FieldPath, name: &str, findings: &mut Vec<Finding>) {
    if !placeholders::check_all(path, name, findings) {
        return;
    }
    // With an ID that is wrong itself, what is made of it says nothing about the template.
    let valid = notebook.deployment_name().is_ok();
    let workspace = names::workspace(notebook.workspace_id(), notebook.spec.name_scheme);
    let claim = names::substitute(name, if valid { &workspace } else { "x" });
    if !dns::is_subdomain(&claim) {
        findings.push(Finding::new(
            Code::ClaimNameInvalid,
            path.clone(),
            format!("{} cannot be the name of a claim", seen(&claim)),
            "use a-z, 0-9, '-' and '.', or leave it out for the operator's default",
        ));
    }
}

fn check_template(path: &FieldPath, template: &ClaimTemplate, findings: &mut Vec<Finding>) {
    if let Some(data) = &template.metadata {
        metadata::check(&path.child("metadata"), Some(&data.labels), Some(&data.annotations), findings);
    }
    let path = path.child("spec");
    let modes = template.spec["accessModes"].as_array().map_or(&[][..], Vec::as_slice);
    let known = |mode: &serde_json::Value| mode.as_str().is_some_and(|mode| ACCESS_MODES.contains(&mode));
    let alone = modes.len() == 1 || !modes.iter().any(|mode| mode == ONE_POD);
    if modes.is_empty() || !modes.iter().all(known) || !alone {
        let written: Vec<_> = modes.iter().map(|mode| mode.as_str().unwrap_or_default()).collect();
        findings.push(Finding::new(
            Code::ClaimModesInvalid,
            path.child("accessModes"),
            format!("a claim cannot have the access modes {}", seen(&written.join(", "))),
            format!("use {}, the last one alone", ACCESS_MODES.join(", ")),
        ));
    }
    let path = path.child("resources").child("requests").child("storage");
    let size = &template.spec["resources"]["requests"]["storage"];
    let nanos = if size.is_null() { Some(0) } else { resources::quantity(&path, size, findings) };
    if nanos == Some(0) {
        findings.push(Finding::new(
            Code::StorageSizeInvalid,
            path,
            "the claim has no size above zero",
            "write for example 10Gi",
        ));
    }
}

/// Says what is wrong with the rest of the claim that is made: its class, its source and what selects its volume.
pub(crate) fn check_claim(notebook: &Notebook, report: &mut Report<'_>) {
    let volume = notebook.spec.workspace_volume.as_ref();
    if let Some(template) = volume.and_then(|volume| volume.claim_template.as_ref()) {
        let path = spec("workspaceVolume").child("claimTemplate").child("spec");
        claim::check_rest(report, Code::ClaimInvalid, &path, &template.spec);
    }
}

/// Says when a changed template reaches nothing: a claim that exists stays as it is.
pub(crate) fn check_change(old: &Notebook, new: &Notebook, findings: &mut Vec<Finding>) {
    let template = |notebook: &'_ Notebook| {
        notebook
            .spec
            .workspace_volume
            .as_ref()
            .and_then(|volume: &WorkspaceVolume| volume.claim_template.clone())
    };
    let claim = old.status.as_ref().and_then(|status| status.claim_name.as_deref());
    if let (Some(was), Some(is), Some(claim)) = (template(old), template(new), claim)
        && was != is
    {
        findings.push(Finding::new(
            Code::ClaimTemplateChanged,
            spec("workspaceVolume").child("claimTemplate"),
            format!("the claim {claim} exists and stays as it is"),
            "",
        ));
    }
}
