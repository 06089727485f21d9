//! `launchConfigurations` is there, is JSON that an IDE can start something from, and stays as it is.
//!
//! What an IDE makes of it is the IDE's business: that there is an object to hand over is all that is asked for. The
//! original takes any JSON, and every session without such an object fails as soon as it is to start.

use serde_json::value::RawValue;
use sojourn_crds::ide_session::{
    IdeSession, IdeSessionSpec, LAUNCH_CONFIGURATIONS_CHANGED, LONGEST_LAUNCH_CONFIGURATIONS,
};

use super::spec;
use crate::finding::{Code, Finding};
use crate::kind::Change;

const FIELD: &str = "launchConfigurations";
const EXAMPLE: &str = r#"write it like [{"type": "project", "project_path": "/src/app.csproj"}]"#;

/// Says what is wrong with the launch configurations.
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

/// Why nothing could be started from the launch configurations.
fn unusable(of: &IdeSessionSpec) -> Option<Finding> {
    let text = of.launch_configurations.as_str();
    let found = |code, message: String, hint| Some(Finding::new(code, spec(FIELD), message, hint));
    if text.is_empty() {
        let message = "launchConfigurations is required.".to_owned();
        return found(Code::LaunchConfigurationsMissing, message, EXAMPLE);
    }
    if text.chars().count() > LONGEST_LAUNCH_CONFIGURATIONS {
        // In the API server's words, which say bytes and mean characters.
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

/// Whether the JSON is a list in which an object stands. The values are passed over unread, so that nesting as deep as
/// the original takes it does no harm.
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
        // Two bytes each: it is characters that count.
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
