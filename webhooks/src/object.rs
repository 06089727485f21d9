//! An object of a request before it is parsed: text from the wire, or a value of the caller.
//!
//! It is parsed straight into the type that a rule uses. No other representation is built in memory: managed fields
//! alone can be half of an object.

use std::io;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub enum Object<'a> {
    /// Text from the wire: well-formed JSON of any depth.
    Text(&'a RawValue),
    /// A value of the caller.
    Value(&'a Value),
}

/// Why an object cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadObjectError {
    /// The JSON is not an object, or is nested too deeply to be read.
    #[error("the object is not one in JSON, or is nested too deeply to be read")]
    Syntax,
    /// The object does not fit its type. The text says why.
    #[error("{0}")]
    Shape(String),
}

impl Object<'_> {
    /// Reads the object as `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ReadObjectError> {
        // Serde would also read a type from a list of its fields.
        if self.is_scrap() {
            return Err(ReadObjectError::Syntax);
        }
        match self {
            Object::Text(text) => serde_json::from_str(text.get()),
            Object::Value(value) => T::deserialize(*value),
        }
        .map_err(|error| match error.classify() {
            serde_json::error::Category::Data => ReadObjectError::Shape(without_place(&error)),
            _ => ReadObjectError::Syntax,
        })
    }

    /// How many bytes of JSON the spec has, as it came by wire; 0 without one.
    pub fn spec_length(&self) -> usize {
        #[derive(Deserialize)]
        struct Spec<'a> {
            #[serde(borrow)]
            spec: Option<&'a RawValue>,
        }
        match self {
            Object::Text(text) => serde_json::from_str::<Spec<'_>>(text.get())
                .ok()
                .and_then(|object| object.spec)
                .map_or(0, |spec| spec.get().len()),
            Object::Value(value) => value.get("spec").map_or(0, json_length),
        }
    }

    /// True when the whole object came in so few bytes that its spec has no more, which takes no reading to know.
    pub fn came_within(&self, bytes: usize) -> bool {
        matches!(self, Object::Text(text) if text.get().len() <= bytes)
    }

    /// True when the JSON is not an object.
    fn is_scrap(&self) -> bool {
        match self {
            Object::Text(text) => !text.get().starts_with('{'),
            Object::Value(value) => !value.is_object(),
        }
    }
}

/// How many bytes the value has as JSON, which are counted and not kept.
pub fn json_length(value: &Value) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting does not fail.
    serde_json::to_writer(&mut count, value).ok();
    count.0
}

/// The text of an error without line and column, which do not help an author of YAML.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Named {
        name: String,
    }

    #[test]
    fn text_and_value_read_alike() {
        for json in [json!({"name": "a", "more": 1}), json!({"name": 5}), json!({}), json!(["a"]), json!(5)] {
            let text = RawValue::from_string(json.to_string()).unwrap();
            let read = |object: Object<'_>| object.read::<Named>().map_err(|error| error.to_string());
            assert_eq!(read(Object::Text(&text)), read(Object::Value(&json)));
        }
    }

    #[test]
    fn what_is_too_deep_is_told_from_what_does_not_fit() {
        let deep = format!("{{\"name\": {}{}}}", "[".repeat(1000), "]".repeat(1000));
        let deep = RawValue::from_string(deep).unwrap();
        assert!(matches!(Object::Text(&deep).read::<Value>(), Err(ReadObjectError::Syntax)));
        assert!(matches!(Object::Text(&deep).read::<Named>(), Err(ReadObjectError::Shape(_))));
    }
}
