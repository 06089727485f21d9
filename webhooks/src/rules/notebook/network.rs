//! What is said of connections does something, and leaves a way to the notebook.
//!
//! agentserver leaves the network to the namespace; all of this is ours.

use sojourn_crds::notebook::{NetworkPolicyMode, Notebook};

use super::spec;
use crate::finding::{Code, Finding};

/// Says what does nothing, or closes the notebook to everybody.
pub(crate) fn check(notebook: &Notebook, findings: &mut Vec<Finding>) {
    let Some(policy) = &notebook.spec.network_policy else { return };
    let at = |field| spec("networkPolicy").child(field);
    match policy.mode {
        NetworkPolicyMode::Unmanaged => {
            let set = [("from", !policy.from.is_empty()), ("egress", policy.egress.is_some())];
            for (field, _) in set.into_iter().filter(|(_, set)| *set) {
                let message = "does nothing with the mode Unmanaged";
                let hint = "set mode to Managed";
                findings.push(Finding::new(Code::NetworkPolicyIgnored, at(field), message, hint));
            }
        }
        NetworkPolicyMode::Managed if policy.from.is_empty() => {
            let message = "nobody but the operator may connect";
            let hint = "name your proxy here";
            findings.push(Finding::new(Code::NetworkPolicyClosed, at("from"), message, hint));
        }
        NetworkPolicyMode::Managed => {}
    }
}
