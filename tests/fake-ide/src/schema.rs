//! The written description of the protocol, for holding against it what is sent.

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;
use std::sync::LazyLock;

/// Parts of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Answer to `GET /info`.
    Info,
    /// Body of `PUT /run_session`.
    Create,
    /// Body of an unsuccessful answer.
    Failure,
    /// One notification.
    Notification,
}

const PLACE: &str = "https://sojourn.dev/protocol.schema.json";

struct Compiled {
    schemas: Schemas,
    parts: [SchemaIndex; 4],
}

static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let text = include_str!("../../../src/ide/protocol.schema.json");
    let schema: Value = serde_json::from_str(text).expect("the schema is JSON");
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource(PLACE, schema).expect("the schema has a place");
    let parts = ["info", "create", "failure", "notification"].map(|part| {
        compiler.compile(&format!("{PLACE}#/$defs/{part}"), &mut schemas).expect("the schema compiles")
    });
    Compiled { schemas, parts }
});

/// Says what of a value does not fit.
pub fn check(part: Part, value: &Value) -> Result<(), String> {
    let [info, create, failure, notification] = COMPILED.parts;
    let index = match part {
        Part::Info => info,
        Part::Create => create,
        Part::Failure => failure,
        Part::Notification => notification,
    };
    COMPILED.schemas.validate(value, index).map_err(|error| format!("{part:?}: {error:#} in {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_does_not_fit_is_found() {
        let good = json!({"notification_type": "processRestarted", "session_id": "a", "pid": 1});
        assert_eq!(check(Part::Notification, &good), Ok(()));
        for bad in [
            json!({"notification_type": "processRestarted", "pid": 1}),
            json!({"notification_type": "processRestarted", "session_id": "a", "pid": "1"}),
            json!({"notification_type": "somethingElse", "session_id": "a"}),
            json!({"notification_type": "serviceLogs", "session_id": "a", "log_message": "a"}),
            json!({"notification_type": "sessionTerminated", "session_id": "a/b"}),
        ] {
            assert!(check(Part::Notification, &bad).is_err(), "{bad}");
        }
        assert!(check(Part::Create, &json!({"launch_configurations": []})).is_err());
        assert!(check(Part::Create, &json!({"launch_configurations": [{}], "env": null})).is_err());
    }
}
