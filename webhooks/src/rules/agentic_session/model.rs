//! How the model is asked lies within what models take.
//!
//! The original hands the numbers through unread, and no runner fails because of them. It reads a temperature that is
//! written as a whole number as zero; here 1 is 1.

use super::{Subject, spec};
use crate::finding::{Code, Finding};

/// Says which settings no model takes.
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
