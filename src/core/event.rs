//! Kubernetes Events on an object, as `kubectl describe` shows them.

use crate::reason::Reason;
use sojourn_crds::text::on_its_lines;

/// The reasons of the Events on objects of a kind.
pub trait EventReason: Reason {
    /// Whether a person should look into it.
    fn is_warning(self) -> bool;
}

/// Defines an enum of reasons of Events, each with the type of its Events: `Normal` or `Warning`.
macro_rules! event_reasons {
    ($(#[$about:meta])* $name:ident { $($kind:ident $reason:ident $text:literal)* }) => {
        $crate::reason::reasons! { $(#[$about])* $name { $($reason $text)* } }

        impl $crate::core::event::EventReason for $name {
            fn is_warning(self) -> bool {
                use $crate::core::event::EventType::*;
                let kind = match self {
                    $(Self::$reason => $kind,)*
                };
                kind == Warning
            }
        }
    };
}

pub(crate) use event_reasons;

/// The type of an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventType {
    /// The object is as it should be.
    Normal,
    /// A person should look into it.
    Warning,
}

/// An Event to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// Whether a person should look into it.
    pub warning: bool,
    /// Why, in one word.
    pub reason: &'static str,
    /// Why, for people.
    pub message: String,
    /// What the Event is about, if more about the same may follow at any rate: of these only one in a while is published.
    pub topic: Option<String>,
}

impl EventRecord {
    /// An Event with a documented reason, which decides its type. Others may have written the message, or parts of it.
    pub fn new(reason: impl EventReason, message: impl Into<String>) -> Self {
        let message = on_its_lines(&message.into()).into_owned();
        Self { warning: reason.is_warning(), reason: reason.as_str(), message, topic: None }
    }

    /// An Event that other clients can cause as often as they like.
    pub fn about(self, topic: impl Into<String>) -> Self {
        Self { topic: Some(topic.into()), ..self }
    }
}

event_reasons! {
    /// Reasons of the Events on the Secret of the webhooks' certificate.
    CertificateEvent {
        Warning CertificateNotKept "The operator cannot maintain the certificate. It keeps serving the present one."
        Normal RotationBegan "A new certificate authority is published beside the present one."
        Normal RotationDone "The new certificate authority signs."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_does_nothing_to_a_terminal() {
        let record = EventRecord::new(CertificateEvent::RotationDone, "a\u{1b}[2J\nb\r\u{202e}c");
        assert_eq!(record.message, "a\\u{1b}[2J\nb\\r\\u{202e}c");
    }
}
