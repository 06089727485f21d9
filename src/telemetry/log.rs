//! Logs: text on a terminal and JSON elsewhere, with a filter that can be changed while the program runs.

use crate::settings::LogSettings;
use sojourn_crds::text::is_control;
use std::io::{self, IsTerminal as _};
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

/// Writes each event as one line that does nothing to a terminal, whatever users, pods and IDEs wrote into it. The library
/// writes an event at once, and escapes what begins with the escape character; that itself is left to it, since colours
/// are written with it.
struct SafeWriter<W> {
    writer: W,
    is_harmful: fn(char) -> bool,
    escape: fn(char, &mut String),
}

fn is_harmful_in_text(c: char) -> bool {
    c != '\u{1b}' && is_control(c)
}

fn escape_in_text(c: char, to: &mut String) {
    to.extend(c.escape_default());
}

/// JSON itself has no line breaks and escapes the other characters of ASCII that could be harmful.
fn is_harmful_in_json(c: char) -> bool {
    (!c.is_ascii() || c == '\u{7f}') && is_control(c)
}

fn escape_in_json(c: char, to: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        to.push_str(&format!("\\u{unit:04x}"));
    }
}

impl<'w, W: fmt::MakeWriter<'w>> fmt::MakeWriter<'w> for SafeWriter<W> {
    type Writer = SafeWriter<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        SafeWriter { writer: self.writer.make_writer(), is_harmful: self.is_harmful, escape: self.escape }
    }
}

impl<W: io::Write> io::Write for SafeWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let (line, end) = text.strip_suffix('\n').map_or((&*text, ""), |line| (line, "\n"));
        let mut safe = String::with_capacity(event.len());
        for c in line.chars() {
            if (self.is_harmful)(c) { (self.escape)(c, &mut safe) } else { safe.push(c) }
        }
        safe.push_str(end);
        self.writer.write_all(safe.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
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
        let writer = SafeWriter { writer, is_harmful: is_harmful_in_json, escape: escape_in_json };
        fmt::layer().json().flatten_event(true).with_writer(writer).boxed()
    } else {
        let writer = SafeWriter { writer, is_harmful: is_harmful_in_text, escape: escape_in_text };
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
    fn events_are_lines_that_do_nothing_to_a_terminal() {
        let hostile = "a\u{1b}[2J\u{9b}1m\r\nERROR forged \u{202e}\u{e0041}";
        let logged = |json| logged(json, |_| tracing::info!(user = hostile, other = ?hostile, "{hostile}"));
        let text = logged(false);
        let harmful = |c: char| is_control(c) && c != '\n';
        assert!(text.lines().count() == 1 && !text.contains(harmful), "{text:?}");
        assert!(text.contains("\\u{9b}1m\\r\\nERROR forged \\u{202e}"), "{text:?}");
        let text = logged(true);
        assert!(text.lines().count() == 1 && !text.contains(harmful), "{text:?}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["message"], &line["user"]), (&hostile.into(), &hostile.into()));
    }

    #[test]
    fn json_lines_are_objects() {
        let text = logged(true, |_| tracing::info!(name = "a", "said"));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["message"], &line["name"]), (&"said".into(), &"a".into()));
    }
}
