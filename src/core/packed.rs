//! Texts that are much alike, kept small.
//!
//! What belongs to ten thousand sessions is the same ten thousand times, but for names. So each text of a form is kept
//! as what sets it apart from the first one, and read again when there is something to decide.

use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};
use std::{fmt, sync::OnceLock};

/// More of the first text is not compared with: a long one is no better.
const LONGEST: usize = 16 * 1024;

/// What the texts of a form have in common. Which text comes first decides how small the others get, and nothing else.
pub struct Form(OnceLock<Box<[u8]>>);

/// A text of a form. `Debug` shows no content: it may be a secret's.
#[derive(Clone, PartialEq, Eq)]
pub struct Packed(Box<[u8]>);

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

impl Packed {
    /// How many bytes are kept.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: an empty text too has its length written down.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for Form {
    fn default() -> Self {
        Self::new()
    }
}

impl Form {
    /// A form of which no text is known yet.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Packs a text.
    pub fn pack(&self, text: &[u8]) -> Packed {
        let first = self.0.get_or_init(|| text[..text.len().min(LONGEST)].into());
        Packed(compress_prepend_size_with_dict(text, first).into())
    }

    /// The text again. `None` when it was not packed by this form.
    pub fn unpack(&self, packed: &Packed) -> Option<Vec<u8>> {
        decompress_size_prepended_with_dict(&packed.0, self.0.get()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_alike_is_kept_once() {
        let form = Form::new();
        let text = |name: &str| {
            let lines = (0..40).map(|n| format!("{{\"name\":\"{name}\",\"line\":{n}}}"));
            lines.collect::<Vec<_>>().join(",")
        };
        form.pack(text("first").as_bytes());
        let other = text("second");
        let packed = form.pack(other.as_bytes());
        assert!(packed.len() * 3 < other.len(), "{} of {}", packed.len(), other.len());
        assert_eq!(form.unpack(&packed).as_deref(), Some(other.as_bytes()));
        assert!(!format!("{packed:?}").contains("second"));
    }

    proptest! {
        #[test]
        fn any_text_comes_back(
            first in proptest::collection::vec(any::<u8>(), 0..200),
            text in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let form = Form::new();
            let long = [first.clone(), text.clone(), first.repeat(400)].concat();
            for text in [&first, &text, &long] {
                let again = form.unpack(&form.pack(text));
                prop_assert_eq!(again.as_deref(), Some(text.as_slice()));
            }
        }
    }
}
