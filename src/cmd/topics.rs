//! What there is to explain: every code that a finding can have.

use sojourn_webhooks::{Code, Severity};

use super::check::problem::OWN_CODES;

/// One code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Topic {
    /// The code.
    pub(super) code: &'static str,
    /// How bad a finding with it is.
    pub(super) severity: Severity,
    /// What it means, and why.
    pub(super) text: &'static str,
}

impl Topic {
    /// In a word, what becomes of an object with such a finding.
    pub(super) fn verdict(&self) -> &'static str {
        match self.severity {
            Severity::Deny => "refused",
            Severity::Warn => "warned about",
        }
    }
}

/// Every code there is: those of the rules, then those that only an offline check gives.
pub(super) fn topics() -> Vec<Topic> {
    let rules = Code::ALL.iter().map(|code| Topic {
        code: code.id(),
        severity: code.severity(),
        text: code.explain(),
    });
    rules.chain(OWN_CODES.map(|(code, severity, text)| Topic { code, severity, text })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct() {
        let codes: std::collections::BTreeSet<_> = topics().iter().map(|topic| topic.code).collect();
        assert_eq!(codes.len(), topics().len());
    }
}
