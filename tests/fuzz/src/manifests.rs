//! The input of `sojourn check`: any file is judged or refused, and the result can be read in each format.

use jiff::Timestamp;
use sojourn::cmd::check::{
    document,
    examine::{Input, examine},
    kinds::Kinds,
    report::{Output, render},
};
use sojourn_webhooks::AdmissionSettings;

/// The target.
pub(crate) fn check() -> impl Fn(&[u8]) + Send + Sync {
    let kinds = Kinds::compiled().expect("the schemas compile");
    move |input| {
        let Ok(documents) = document::parse(input) else { return };
        let inputs = [Input { file: "manifest.yaml".to_owned(), documents }];
        let settings = AdmissionSettings::default;
        let examination = examine(&kinds, &inputs, &[], settings(), Timestamp::UNIX_EPOCH);
        assert!(examination.denied <= examination.checked);
        let render = |output| render(&examination, output).expect("it can be written");
        for json in [Output::Json, Output::Sarif] {
            serde_json::from_str::<serde_json::Value>(&render(json)).expect("it is JSON");
        }
        for text in [render(Output::Text), render(Output::Github)] {
            // What somebody wrote into an object must not reach the terminal as a command to it.
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        }
        // What changes nothing breaks no rule about changes.
        let again = examine(&kinds, &inputs, &inputs, settings(), Timestamp::UNIX_EPOCH);
        assert!(again.denied <= examination.denied);
    }
}
