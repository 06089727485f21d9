//! The body of a create request. Launch configurations go out byte for byte as they came in: nothing that an
//! IDE might understand is lost to a parser of ours.

use serde_json::{Value, json};

/// Launch configurations that can be sent: a JSON array with at least one element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    raw: String,
    types: Vec<String>,
}

/// Why launch configurations cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum ReadLaunchError {
    /// The text is no JSON.
    #[error("launch configurations could not be parsed: {0}")]
    NotJson(#[source] serde_json::Error),
    /// The JSON is no array.
    #[error("launch configurations are invalid: a JSON array was expected, not {0}")]
    NotArray(&'static str),
    /// The array has no element.
    #[error("at least one launch configuration is required")]
    Empty,
}

/// The connected IDE knows none of the types.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "none of the requested launch configuration types is supported by the connected IDE; supported types: \
     [{}], requested types: [{}]", .supported.join(" "), .requested.join(" ")
)]
pub struct Unsupported {
    /// What the IDE knows.
    pub supported: Vec<String>,
    /// What was asked for.
    pub requested: Vec<String>,
}

impl Launch {
    /// Reads the text of `spec.launchConfigurations`.
    pub fn read(text: &str) -> Result<Self, ReadLaunchError> {
        let value: Value = serde_json::from_str(text).map_err(ReadLaunchError::NotJson)?;
        let Value::Array(elements) = &value else { return Err(ReadLaunchError::NotArray(kind(&value))) };
        if elements.is_empty() {
            return Err(ReadLaunchError::Empty);
        }
        let types = elements.iter().filter_map(|element| element.get("type")?.as_str().map(str::to_owned));
        Ok(Self { types: types.collect(), raw: text.to_owned() })
    }

    /// Refuses what the IDE cannot launch at all. One known type is enough: the IDE chooses.
    pub fn check(&self, supported: &[String]) -> Result<(), Unsupported> {
        if self.types.iter().any(|requested| supported.contains(requested)) {
            return Ok(());
        }
        let fit = |types: &[String]| types.iter().map(|name| super::text::line(name)).collect();
        Err(Unsupported { supported: fit(supported), requested: fit(&self.types) })
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A request to create a run session.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// What to launch.
    pub launch: Launch,
    /// Environment of the process, in this order.
    pub env: Vec<EnvVar>,
    /// Arguments; none leaves them to the launch profile.
    pub args: Vec<String>,
}

/// One environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvVar {
    /// Name of the variable.
    pub name: String,
    /// Value of the variable.
    pub value: String,
}

impl From<Launch> for RunRequest {
    fn from(launch: Launch) -> Self {
        Self { launch, env: Vec::new(), args: Vec::new() }
    }
}

impl RunRequest {
    /// The body, with the launch configurations untouched.
    pub fn body(&self) -> String {
        let mut body = format!(r#"{{"launch_configurations":{}"#, self.launch.raw);
        let member = |name: &str, value: Value| format!(r#","{name}":{value}"#);
        if !self.env.is_empty() {
            let env = self.env.iter().map(|var| json!({"name": var.name, "value": var.value}));
            body.push_str(&member("env", env.collect()));
        }
        if !self.args.is_empty() {
            body.push_str(&member("args", Value::from(self.args.clone())));
        }
        body.push('}');
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn the_body_carries_environment_and_arguments() {
        let var = |name: &str, value: &str| EnvVar { name: name.into(), value: value.into() };
        let request = RunRequest {
            env: vec![var("A", "1"), var("B", "\"2\"")],
            args: vec!["-v".into(), "two words".into()],
            ..RunRequest::from(Launch::read(r#"[{"type":"project","project_path":"/a"}]"#).unwrap())
        };
        let body: Value = serde_json::from_str(&request.body()).unwrap();
        let expected = json!({
            "launch_configurations": [{"type": "project", "project_path": "/a"}],
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "\"2\""}],
            "args": ["-v", "two words"],
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn launch_configurations_go_out_as_they_came() {
        let raw = r#" [ {"type":"project", "big":123456789012345678901234567890, "x":1.0e40, "x":2} ] "#;
        let body = RunRequest::from(Launch::read(raw.trim()).unwrap()).body();
        assert_eq!(body, format!(r#"{{"launch_configurations":{}}}"#, raw.trim()));
    }

    #[rstest]
    #[case("not json", "launch configurations could not be parsed: ")]
    #[case("{}", "launch configurations are invalid: a JSON array was expected, not an object")]
    #[case("\"x\"", "launch configurations are invalid: a JSON array was expected, not a string")]
    #[case("null", "launch configurations are invalid: a JSON array was expected, not null")]
    #[case("[]", "at least one launch configuration is required")]
    fn what_cannot_be_sent_is_refused_here(#[case] text: &str, #[case] why: &str) {
        let error = Launch::read(text).unwrap_err().to_string();
        assert!(error.starts_with(why), "{error}");
    }

    #[test]
    fn one_known_type_is_enough() {
        let launch = Launch::read(r#"[{"type":"go"},{"type":"python"},{"mode":"Debug"},7]"#).unwrap();
        assert!(launch.check(&["project".into(), "python".into()]).is_ok());
        let error = launch.check(&["project".into(), "node".into()]).unwrap_err().to_string();
        let expected = "none of the requested launch configuration types is supported by the connected IDE; \
                        supported types: [project node], requested types: [go python]";
        assert_eq!(error, expected);
    }
}
