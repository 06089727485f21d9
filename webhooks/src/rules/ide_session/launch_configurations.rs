//! `launchConfigurations` is present, is JSON with at least one object, and cannot change.
//!
//! Only the IDE interprets the objects, so the rule requires one object and nothing more. The original accepts any
//! JSON, and every session without an object fails at its start.

use serde_json::value::RawValue;
use sojourn_crds::ide_session::{
    IdeSession, IdeSessionSpec, LAUNCH_CONFIGURATIONS_CHANGED, LONGEST_LAUNCH_CONFIGURATIONS,
};

use super::spec;
use crate::finding::{Code, Finding};
use crate::kind::Change;

const FIELD: &str = "launchConfigurations";
const EXAMPLE: &str = r#"write it like [{"type": "project", "project_path": "/src/app.csproj"}]"#;

/// Reports what is wrong with the launch configurations.
pub(crate) fn check(change: &Change<'_, IdeSession>, findings: &mut Vec<Finding>) {
    let new = &change.object.spec.launch_configurations;
    if change.old.is_some_and(|old| old.spec.launch_configurations != *new) {
        findings.push(Finding::new(
            Code::LaunchConfigurationsImmutable,
            spec(FIELD),
            LAUNCH_CONFIGURATIONS_CHANGED,
            "Keep it byte for byte, white space included, or create another IdeSession.",
        ));
    }
    findings.extend(unusable(&change.object.spec));
}

/// Why an IDE cannot start a session from the launch configurations.
fn unusable(of: &IdeSessionSpec) -> Option<Finding> {
    let text = of.launch_configurations.as_str();
    let found = |code, message: String, hint| Some(Finding::new(code, spec(FIELD), message, hint));
    if text.is_empty() {
        let message = "launchConfigurations is required.".to_owned();
        return found(Code::LaunchConfigurationsMissing, message, EXAMPLE);
    }
    if text.chars().count() > LONGEST_LAUNCH_CONFIGURATIONS {
        // The message of the API server, which says bytes and means characters.
        let message = format!("Too long: may not be more than {LONGEST_LAUNCH_CONFIGURATIONS} bytes");
        return found(Code::SchemaInvalid, message, "shorten it");
    }
    match has_an_object(text) {
        Err(error) => {
            let message = format!("launchConfigurations must be valid JSON: {error}");
            found(Code::LaunchConfigurationsUnreadable, message, EXAMPLE)
        }
        Ok(false) => {
            let message =
                "launchConfigurations must be a JSON array with at least one launch configuration object.";
            found(Code::LaunchConfigurationsEmpty, message.to_owned(), EXAMPLE)
        }
        Ok(true) => None,
    }
}

/// Whether the JSON is a list that contains an object. The values are skipped and not parsed, so that deep nesting,
/// which the original accepts, does no harm.
fn has_an_object(text: &str) -> serde_json::Result<bool> {
    let whole: &RawValue = serde_json::from_str(text)?;
    if !whole.get().starts_with('[') {
        return Ok(false);
    }
    let items: Vec<&RawValue> = serde_json::from_str(whole.get())?;
    Ok(items.iter().any(|item| item.get().starts_with('{')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("[{}]", Some(true))]
    #[case(" [ null , { \"type\" : 1 } ] ", Some(true))]
    #[case("[]", Some(false))]
    #[case("[[{}]]", Some(false))]
    #[case("[\"{}\"]", Some(false))]
    #[case("{\"a\": [{}]}", Some(false))]
    #[case("null", Some(false))]
    #[case("\"[{}]\"", Some(false))]
    #[case("[{}", None)]
    #[case("[{}] x", None)]
    #[case("not json", None)]
    #[case(" ", None)]
    fn objects_in_lists(#[case] text: &str, #[case] found: Option<bool>) {
        assert_eq!(has_an_object(text).ok(), found);
    }

    #[test]
    fn deep_nesting_is_no_error() {
        let text = format!("[{{\"a\": {}{}}}]", "[".repeat(9000), "]".repeat(9000));
        assert_eq!(has_an_object(&text).ok(), Some(true));
    }

    #[test]
    fn as_long_as_all_annotations_may_be_and_no_longer() {
        // Two bytes each: the limit is in characters.
        let padded = |length: usize| format!("[{{\"a\": \"{}\"}}]", "\u{e4}".repeat(length - 11));
        for (length, said) in [
            (LONGEST_LAUNCH_CONFIGURATIONS, None),
            (LONGEST_LAUNCH_CONFIGURATIONS + 1, Some("Too long: may not be more than 262144 bytes")),
        ] {
            let spec = IdeSessionSpec { launch_configurations: padded(length), ..IdeSessionSpec::default() };
            assert_eq!(spec.launch_configurations.chars().count(), length);
            assert_eq!(unusable(&spec).map(|finding| finding.message).as_deref(), said);
        }
    }
}
