//! The access rights that the rows of the table need.

use k8s_openapi::api::rbac::v1::PolicyRule;
use sojourn_crds::amalthea::AmaltheaSession;
use sojourn_crds::{DescribedKind, KindDescriptor};

use crate::table::{Row, TABLE};

/// The rights to watch sessions and to create access reviews.
pub fn policy_rules() -> Vec<PolicyRule> {
    rules_of(&TABLE)
}

fn rules_of(rows: &[Row]) -> Vec<PolicyRule> {
    let mut rules = Vec::new();
    if rows.iter().any(|row| row.needs_sessions) {
        let KindDescriptor { group, plural, .. } = AmaltheaSession::DESCRIPTOR;
        rules.push(rule(group, plural, &["list", "watch"]));
    }
    if rows.iter().any(|row| row.needs_access_review) {
        rules.push(rule("authorization.k8s.io", "subjectaccessreviews", &["create"]));
    }
    rules
}

fn rule(group: &str, resource: &str, verbs: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        ..PolicyRule::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_follow_from_the_rows() {
        assert!(rules_of(&[]).is_empty());
        let text = serde_json::to_string(&policy_rules()).unwrap();
        assert!(text.contains("subjectaccessreviews") && text.contains("amaltheasessions"));
        assert!(!text.contains('*'));
    }
}
