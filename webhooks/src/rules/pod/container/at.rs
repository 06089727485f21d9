//! Where a rule stands in an object, as a chain of borrowed steps.
//!
//! Nearly every container is good, and its fields are many: a path is only put together once there is something to say
//! about it.

use std::fmt::Write;

use crate::finding::FieldPath;

/// A place in an object. It lives as long as the place that it was reached from.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    parent: Option<&'a At<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Field(&'a str),
    Index(usize),
    Key(&'a str),
}

impl<'a> At<'a> {
    /// The place at `path`, for example `spec.session`.
    pub(crate) fn root(path: &'a str) -> Self {
        Self { parent: None, step: Step::Field(path) }
    }

    /// The member `name` of this.
    pub(crate) fn child<'b>(&'b self, name: &'b str) -> At<'b> {
        At { parent: Some(self), step: Step::Field(name) }
    }

    /// The item at `index` of this list.
    pub(crate) fn index<'b>(&'b self, index: usize) -> At<'b> {
        At { parent: Some(self), step: Step::Index(index) }
    }

    /// The entry `key` of this map.
    pub(crate) fn key<'b>(&'b self, key: &'b str) -> At<'b> {
        At { parent: Some(self), step: Step::Key(key) }
    }

    /// The place as a path. A chain is as long as the code that made it says, whatever the object holds.
    pub(crate) fn path(&self) -> FieldPath {
        let mut text = String::new();
        self.write(&mut text);
        FieldPath::new(&text)
    }

    fn write(&self, text: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(text);
        }
        // Writing to a String does not fail.
        let _ = match self.step {
            Step::Field(name) if text.is_empty() => write!(text, "{name}"),
            Step::Field(name) => write!(text, ".{name}"),
            Step::Index(index) => write!(text, "[{index}]"),
            Step::Key(key) => write!(text, "[{key}]"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_a_field_path_does() {
        let root = At::root("spec.session");
        let list = root.child("resources");
        assert_eq!(
            list.child("limits").key("x.y/z").path(),
            FieldPath::new("spec.session").child("resources").child("limits").key("x.y/z")
        );
        assert_eq!(list.index(2).path().to_string(), "spec.session.resources[2]");
        assert_eq!(root.path().to_string(), "spec.session");
    }
}
