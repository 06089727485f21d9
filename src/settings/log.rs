//! The filter and the form of the log.

use super::{Problems, flags::Flags};

/// What is logged and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Directives of the filter.
    pub filter: String,
    /// JSON or text; `None` means text on a terminal and JSON elsewhere.
    pub json: Option<bool>,
}

/// The zap flags as a filter: their levels are of the operator's own messages, what libraries say counts
/// from debug on.
pub(super) fn read(flags: &Flags, problems: &mut Problems) -> LogSettings {
    let devel = flags.zap_devel.unwrap_or(false);
    let level = match flags.zap_log_level.as_deref() {
        None => Ok(if devel { "info,sojourn=debug" } else { "info" }),
        Some("info") => Ok("info"),
        Some("error" | "panic") => Ok("error"),
        Some("debug") => Ok("info,sojourn=debug"),
        Some(text) => match text.parse::<u8>() {
            Ok(0) => Err("numbers start at 1"),
            Ok(1) => Ok("info,sojourn=debug"),
            Ok(2..=4) => Ok("info,sojourn=trace"),
            Ok(_) => Ok("debug,sojourn=trace"),
            Err(_) => Err("debug, info, error, panic or a number was expected"),
        },
    };
    let level = problems.check("--zap-log-level", level);
    let filter = flags.log_filter.clone().unwrap_or_else(|| level.to_owned());
    if let Err(error) = tracing_subscriber::EnvFilter::builder().parse(&filter) {
        problems.errors.push(format!("--log-filter: {error}"));
    }
    let json = match flags.zap_encoder.as_deref() {
        None => Ok(devel.then_some(false)),
        Some("json") => Ok(Some(true)),
        Some("console") => Ok(Some(false)),
        Some(_) => Err("console or json was expected"),
    };
    LogSettings { filter, json: problems.check("--zap-encoder", json) }
}
