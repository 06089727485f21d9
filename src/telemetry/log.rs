//! Logs: text on a terminal and JSON elsewhere, with a filter that can be changed while the program runs.

use crate::settings::LogSettings;
use std::io::IsTerminal;
use tracing_subscriber::{
    EnvFilter, Layer, Registry, fmt,
    layer::{Layered, SubscriberExt},
    reload,
    util::SubscriberInitExt,
};

/// Logging cannot be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum SetUpLogError {
    /// The filter cannot be parsed.
    #[error("the log filter cannot be read: {0}")]
    ReadFilter(#[from] tracing_subscriber::filter::ParseError),
    /// Another logger is installed.
    #[error("logging is set up already")]
    Install(#[from] tracing_subscriber::util::TryInitError),
    /// The logger is gone.
    #[error("the log filter cannot be changed")]
    Reload(#[from] reload::Error),
}

/// A further layer that receives all events, unfiltered.
pub type Extra = Box<dyn Layer<Registry> + Send + Sync>;

/// Reads and changes the filter of the installed logger.
#[derive(Clone)]
pub struct LogHandle(reload::Handle<EnvFilter, Layered<Option<Extra>, Registry>>);

impl std::fmt::Debug for LogHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LogHandle").field(&self.filter().ok()).finish()
    }
}

impl LogHandle {
    /// The directives in force.
    pub fn filter(&self) -> Result<String, SetUpLogError> {
        Ok(self.0.with_current(ToString::to_string)?)
    }

    /// Replaces the directives; on an error nothing changes.
    pub fn set(&self, directives: &str) -> Result<(), SetUpLogError> {
        Ok(self.0.reload(EnvFilter::builder().parse(directives)?)?)
    }
}

/// A logger that is not installed yet, with its handle. Events go to `extra`, too.
pub fn subscriber<W>(
    settings: &LogSettings,
    json: bool,
    writer: W,
    extra: Option<Extra>,
) -> Result<(impl tracing::Subscriber + Send + Sync, LogHandle), SetUpLogError>
where
    W: for<'w> fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(EnvFilter::builder().parse(&settings.filter)?);
    let lines = if json {
        fmt::layer().json().flatten_event(true).with_writer(writer).boxed()
    } else {
        fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(writer).boxed()
    };
    let subscriber = tracing_subscriber::registry().with(extra).with(lines.with_filter(filter));
    Ok((subscriber, LogHandle(handle)))
}

/// Installs the logger of the process, which writes to standard error.
pub fn init(settings: &LogSettings) -> Result<LogHandle, SetUpLogError> {
    init_with(settings, None)
}

/// Installs the logger of the process, with a further layer.
pub fn init_with(settings: &LogSettings, extra: Option<Extra>) -> Result<LogHandle, SetUpLogError> {
    let json = settings.json.unwrap_or_else(|| !std::io::stderr().is_terminal());
    let (subscriber, handle) = subscriber(settings, json, std::io::stderr, extra)?;
    subscriber.try_init()?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(json: bool, act: impl FnOnce(&LogHandle)) -> String {
        let (lines, settings) = (Lines::default(), LogSettings { filter: "info".into(), json: None });
        let sink = lines.clone();
        let (subscriber, handle) = subscriber(&settings, json, move || sink.clone(), None).unwrap();
        tracing::subscriber::with_default(subscriber, || act(&handle));
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn the_filter_changes_while_running() {
        let text = logged(false, |handle| {
            tracing::debug!("first");
            handle.set("debug").unwrap();
            assert_eq!(handle.filter().unwrap(), "debug");
            tracing::debug!("second");
            assert!(handle.set("sojourn=loud").is_err());
            tracing::debug!("third");
        });
        assert!(!text.contains("first") && text.contains("second") && text.contains("third"), "{text}");
    }

    #[test]
    fn json_lines_are_objects() {
        let text = logged(true, |_| tracing::info!(name = "a", "said"));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["message"], &line["name"]), (&"said".into(), &"a".into()));
    }
}
