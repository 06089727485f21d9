//! Reasons: why a condition has its status, or why an Event was published, in one word.
//!
//! Clients match on reasons, so they are part of the API: each is a variant of an enum, with its documentation beside
//! it. `docs/conditions.md` is generated from these enums.

/// The reasons of a condition or of Events.
pub trait Reason: Copy + 'static {
    /// Every reason, in the order of the documentation.
    const ALL: &'static [Self];

    /// The reason as the API has it.
    fn as_str(self) -> &'static str;

    /// What it means, in a sentence.
    fn explain(self) -> &'static str;
}

/// A reason for documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonRow {
    /// The reason as the API has it.
    pub name: &'static str,
    /// What it means, in a sentence.
    pub text: &'static str,
}

impl ReasonRow {
    /// The row of a reason.
    pub fn of(reason: impl Reason) -> Self {
        Self { name: reason.as_str(), text: reason.explain() }
    }

    /// The rows of all reasons of a type.
    pub fn all<R: Reason>() -> Vec<Self> {
        R::ALL.iter().copied().map(Self::of).collect()
    }
}

/// Defines an enum of reasons. The name of a variant is the reason; the text beside it says what it means.
macro_rules! reasons {
    ($(#[$about:meta])* $name:ident { $($reason:ident $text:literal)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = $text] $reason,)*
        }

        impl $crate::reason::Reason for $name {
            const ALL: &'static [Self] = &[$(Self::$reason),*];

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$reason => stringify!($reason),)*
                }
            }

            fn explain(self) -> &'static str {
                match self {
                    $(Self::$reason => $text,)*
                }
            }
        }
    };
}

pub(crate) use reasons;
