//! How long all configurations have held a bundle, by a monotonic clock that the caller passes in.

use std::time::{Duration, Instant};

use crate::bundle::Bundle;

/// What has been observed of the configurations.
#[derive(Debug, Clone, Default)]
pub struct BundlePropagation {
    since: Option<(Bundle, Instant)>,
}

impl BundlePropagation {
    /// Records what the configurations publish at `now`. The time starts again when a configuration loses the bundle,
    /// or when another bundle is desired.
    pub fn see<'a>(
        &mut self,
        wanted: Option<&Bundle>,
        live: impl IntoIterator<Item = &'a Bundle>,
        now: Instant,
    ) {
        let Some(wanted) = wanted.filter(|wanted| live.into_iter().all(|live| live.covers(wanted))) else {
            self.since = None;
            return;
        };
        if !self.since.as_ref().is_some_and(|(held, _)| held.same_as(wanted)) {
            self.since = Some((wanted.clone(), now));
        }
    }

    /// How long all configurations have held the bundle.
    pub fn held_for(&self, now: Instant) -> Option<Duration> {
        self.since.as_ref().map(|(_, since)| now.saturating_duration_since(*since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_runs_while_all_hold_it() {
        let authority = || crate::Authority::generate("2026-05-01T12:00:00Z".parse().unwrap()).unwrap();
        let wanted = Bundle::default().with(authority().certificate());
        let (blank, more) = (Bundle::default(), wanted.clone().with(authority().certificate()));
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut held = BundlePropagation::default();
        held.see(Some(&wanted), [&wanted, &blank], at(0));
        assert_eq!(held.held_for(at(1)), None);
        held.see(Some(&wanted), [&wanted, &more], at(2));
        held.see(Some(&wanted), [&more, &more], at(3));
        assert_eq!(held.held_for(at(5)), Some(Duration::from_secs(3)));
        held.see(Some(&more), [&more, &more], at(6));
        assert_eq!(held.held_for(at(7)), Some(Duration::from_secs(1)), "another bundle, another time");
        held.see(Some(&more), [&more, &blank], at(8));
        assert_eq!(held.held_for(at(9)), None);
        held.see(None, [&more], at(9));
        assert_eq!(held.held_for(at(9)), None);
    }
}
