//! The metrics of single sessions, as the original names them.
//!
//! They are read from a snapshot at each scrape, so that the series of a deleted session end with it and
//! nothing has to be kept in step. Only so many sessions have series of their own, the first ones by
//! namespace and name; `amalthea_sessions_total` counts all of them.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};
use sojourn_crds::amalthea::State;
use std::{fmt, sync::Arc};

/// What is shown of one session at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SessionGauge {
    /// Namespace of the session.
    pub namespace: String,
    /// Name of the session.
    pub name: String,
    /// State in its status.
    pub state: State,
    /// Whether it is idle.
    pub idle: bool,
    /// Containers that are ready.
    pub ready: u32,
    /// Containers.
    pub total: u32,
    /// Seconds since it became idle; 0 when it is not.
    pub idle_seconds: f64,
    /// Seconds since it failed; 0 when it has not.
    pub failing_seconds: f64,
    /// Seconds since it was hibernated; 0 when it is not.
    pub hibernated_seconds: f64,
    /// Seconds since it could not be scheduled; 0 when it is.
    pub failed_scheduling_seconds: f64,
    /// When it will be hibernated, in seconds of Unix time; 0 when nothing says so.
    pub will_hibernate_at: f64,
}

/// The source of the values.
pub(crate) trait SessionGauges: Send + Sync + 'static {
    /// All sessions, at this moment.
    fn snapshot(&self) -> Vec<SessionGauge>;
}

/// Encodes the sessions at each scrape.
pub(crate) struct SessionCollector {
    source: Arc<dyn SessionGauges>,
    limit: Option<usize>,
}

impl SessionCollector {
    /// A collector of all sessions, with per-session series for at most `limit` of them; `None` for no such series.
    pub(crate) fn new(source: Arc<dyn SessionGauges>, limit: Option<usize>) -> Self {
        Self { source, limit }
    }
}

impl fmt::Debug for SessionCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCollector").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// One metric of a session: name, help, value.
type Column = (&'static str, &'static str, fn(&SessionGauge) -> f64);

const COLUMNS: [Column; 8] = [
    ("amalthea_session_idle", "1 while the session is idle", |s| f64::from(u8::from(s.idle))),
    ("amalthea_session_container_ready", "Containers of the session that are ready", |s| f64::from(s.ready)),
    ("amalthea_session_container_total", "Containers of the session", |s| f64::from(s.total)),
    ("amalthea_session_idle_duration_seconds", "How long the session has been idle", |s| s.idle_seconds),
    ("amalthea_session_failing_duration_seconds", "How long the session has failed", |s| s.failing_seconds),
    ("amalthea_session_hibernated_duration_seconds", "How long the session has been hibernated", |s| {
        s.hibernated_seconds
    }),
    (
        "amalthea_session_failed_scheduling_duration_seconds",
        "How long the session could not be scheduled",
        |s| s.failed_scheduling_seconds,
    ),
    (
        "amalthea_session_will_hibernate_at",
        "When the session will be hibernated, in Unix time; 0 for never",
        |s| s.will_hibernate_at,
    ),
];

impl Collector for SessionCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut sessions = self.source.snapshot();
        gauges(
            &mut encoder,
            "amalthea_sessions_total",
            "Sessions by state",
            State::ALL.iter().map(|state| {
                let count = sessions.iter().filter(|session| session.state == *state).count();
                ([("state", state.as_str())], count as f64)
            }),
        )?;
        let Some(limit) = self.limit else { return Ok(()) };
        let omitted = sessions.len().saturating_sub(limit);
        gauges(
            &mut encoder,
            "amalthea_sessions_without_series",
            "Sessions beyond the limit, which have no series of their own",
            [([("reason", "limit")], omitted as f64)].into_iter(),
        )?;
        sessions.sort_unstable_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        sessions.truncate(limit);
        gauges(
            &mut encoder,
            "amalthea_session_state",
            "1 for the state that the session is in",
            sessions.iter().flat_map(|session| {
                State::ALL.iter().map(move |state| {
                    let [namespace, name] = labels(session);
                    let on = f64::from(u8::from(session.state == *state));
                    ([namespace, name, ("state", state.as_str())], on)
                })
            }),
        )?;
        for (metric, help, value) in COLUMNS {
            gauges(&mut encoder, metric, help, sessions.iter().map(|s| (labels(s), value(s))))?;
        }
        Ok(())
    }
}

fn labels(session: &SessionGauge) -> [(&'static str, &str); 2] {
    [("namespace", &session.namespace), ("name", &session.name)]
}

fn gauges<'a, const N: usize>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    series: impl Iterator<Item = ([(&'static str, &'a str); N], f64)>,
) -> Result<(), fmt::Error> {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in series {
        ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::{encoding::text, registry::Registry};
    use std::sync::Mutex;

    struct Fixed(Mutex<Vec<SessionGauge>>);

    impl SessionGauges for Fixed {
        fn snapshot(&self) -> Vec<SessionGauge> {
            self.0.lock().unwrap().clone()
        }
    }

    fn session(name: &str, state: State) -> SessionGauge {
        SessionGauge {
            namespace: "ns".into(),
            name: name.into(),
            state,
            idle: true,
            ready: 1,
            total: 2,
            idle_seconds: 1.5,
            failing_seconds: 2.0,
            hibernated_seconds: 3.0,
            failed_scheduling_seconds: 4.0,
            will_hibernate_at: 1_700_000_000.0,
        }
    }

    fn scraped(source: &Arc<Fixed>, limit: Option<usize>) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(SessionCollector::new(source.clone(), limit)));
        let mut out = String::new();
        text::encode(&mut out, &registry).unwrap();
        out
    }

    #[test]
    fn every_metric_of_the_original_is_served() {
        let source = Arc::new(Fixed(Mutex::new(vec![session("a", State::Succeeded)])));
        let text = scraped(&source, Some(10));
        for line in [
            r#"amalthea_sessions_total{state="Succeeded"} 1.0"#,
            r#"amalthea_sessions_total{state="Running"} 0.0"#,
            r#"amalthea_session_state{namespace="ns",name="a",state="Succeeded"} 1.0"#,
            r#"amalthea_session_state{namespace="ns",name="a",state="NotReady"} 0.0"#,
            r#"amalthea_session_idle{namespace="ns",name="a"} 1.0"#,
            r#"amalthea_session_container_ready{namespace="ns",name="a"} 1.0"#,
            r#"amalthea_session_container_total{namespace="ns",name="a"} 2.0"#,
            r#"amalthea_session_idle_duration_seconds{namespace="ns",name="a"} 1.5"#,
            r#"amalthea_session_failing_duration_seconds{namespace="ns",name="a"} 2.0"#,
            r#"amalthea_session_hibernated_duration_seconds{namespace="ns",name="a"} 3.0"#,
            r#"amalthea_session_failed_scheduling_duration_seconds{namespace="ns",name="a"} 4.0"#,
            r#"amalthea_session_will_hibernate_at{namespace="ns",name="a"} 1700000000.0"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn a_deleted_session_has_no_series() {
        let source = Arc::new(Fixed(Mutex::new(vec![session("a", State::Running)])));
        assert!(scraped(&source, Some(10)).contains(r#"name="a""#));
        source.0.lock().unwrap().clear();
        let text = scraped(&source, Some(10));
        assert!(!text.contains(r#"name="a""#), "{text}");
        assert!(text.contains(r#"amalthea_sessions_total{state="Running"} 0.0"#), "{text}");
    }

    #[test]
    fn the_limit_keeps_the_first_ones_and_counts_all() {
        let names = ["c", "a", "b"].map(|name| session(name, State::Running));
        let source = Arc::new(Fixed(Mutex::new(names.to_vec())));
        let text = scraped(&source, Some(2));
        assert!(text.contains(r#"name="a""#) && text.contains(r#"name="b""#), "{text}");
        assert!(!text.contains(r#"name="c""#), "{text}");
        assert!(text.contains(r#"amalthea_sessions_without_series{reason="limit"} 1.0"#), "{text}");
        assert!(text.contains(r#"amalthea_sessions_total{state="Running"} 3.0"#), "{text}");
        assert!(!scraped(&source, None).contains("name="));
    }
}
