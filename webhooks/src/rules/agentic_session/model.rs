//! The settings of the model are in the range that models accept.
//!
//! The original passes the numbers on without a check, and no runner fails because of them. It reads a temperature that
//! is a whole number as zero; here 1 is 1.

use super::{Subject, spec};
use crate::finding::{Code, Finding};

/// Reports settings that no model accepts.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(settings) = &subject.spec().llm_settings else { return };
    if !(0.0..=2.0).contains(&settings.temperature) {
        findings.push(Finding::new(
            Code::TemperatureOutOfRange,
            spec("llmSettings").child("temperature"),
            format!("{} is not between 0 and 2", settings.temperature),
            "models refuse it",
        ));
    }
    if settings.max_tokens < 1 {
        findings.push(Finding::new(
            Code::MaxTokensTooFew,
            spec("llmSettings").child("maxTokens"),
            format!("{} leaves no room for an answer", settings.max_tokens),
            "write 1 or more",
        ));
    }
}
