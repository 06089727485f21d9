//! Each step in turn, as one replica sees it; many at a time are in the simulation.

use jiff::SignedDuration;

use super::*;
use crate::authority::Reason;
use crate::store::{CERTIFICATE, KEY};

const ME: &str = "pod-0";
const PROPAGATION: Duration = Duration::from_secs(10);

fn now() -> Timestamp {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

fn later(days: i64) -> Timestamp {
    now() + SignedDuration::from_hours(24 * days)
}

/// One replica with everything that it looks at.
struct Scene {
    secret: Option<SecretData>,
    published: Bundle,
    held_for: Option<Duration>,
    serving: Option<Serving>,
    now: Timestamp,
}

impl Scene {
    fn empty() -> Self {
        Self { secret: None, published: Bundle::default(), held_for: None, serving: None, now: now() }
    }

    /// After all first steps.
    fn settled() -> Self {
        let mut scene = Self::empty();
        scene.run();
        scene.publish();
        assert_eq!(scene.step(), Step::Wait(Phase::Settled));
        scene
    }

    fn view<T>(&self, look: impl FnOnce(&View<'_>) -> T) -> T {
        let stored = self.secret.as_ref().map(Stored::read);
        look(&View {
            me: ME,
            stored: stored.as_ref(),
            published: &self.published,
            held_for: self.held_for,
            propagation: PROPAGATION,
            serving: self.serving.as_ref(),
            now: self.now,
        })
    }

    fn step(&self) -> Step {
        self.view(decide)
    }

    fn stored(&self) -> Stored {
        Stored::read(self.secret.as_ref().unwrap())
    }

    /// All configurations hold the bundle, and have for a while.
    fn publish(&mut self) {
        self.published = self.stored().bundle;
        self.held_for = Some(PROPAGATION);
    }

    /// Takes steps until there is none to take, and names them.
    fn run(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        loop {
            let step = self.step();
            match &step {
                Step::Create => self.secret = Some(self.view(create).unwrap()),
                Step::Write(what) => {
                    let old = self.secret.clone().unwrap();
                    self.secret = Some(self.view(|view| change(view, &old, what)).unwrap());
                    if !self.stored().bundle.same_as(&self.published) {
                        self.held_for = None;
                    }
                }
                Step::Serve(_) => {
                    let stored = self.stored();
                    self.serving = Some(serving(stored.signer(self.now).unwrap(), self.now));
                }
                Step::Foreign(_) | Step::Wait(_) => return steps,
            }
            steps.push(step);
            assert!(steps.len() < 20, "no end: {steps:?}");
        }
    }

    fn ask(&mut self, value: &str) {
        self.secret.as_mut().unwrap().annotations.insert(ROTATE.to_owned(), value.to_owned());
    }

    fn other_serves(&mut self, authority: &Authority, until: Timestamp) {
        let report = Report { authority: authority.fingerprint(), until };
        self.secret.as_mut().unwrap().set_report("pod-1", Some(&report));
    }
}

fn serving(authority: &Authority, now: Timestamp) -> Serving {
    Serving {
        authority: authority.certificate().to_vec(),
        fingerprint: authority.fingerprint(),
        renew_at: now + SignedDuration::from_hours(24 * 20),
        until: now + LEAF_LIFE,
    }
}

fn writes(steps: &[Step]) -> Vec<&Change> {
    steps.iter().filter_map(|step| if let Step::Write(change) = step { Some(change) } else { None }).collect()
}

#[test]
fn the_first_replica_makes_the_secret_reports_and_serves() {
    let mut scene = Scene::empty();
    let steps = scene.run();
    assert_eq!(steps[0], Step::Create);
    assert!(matches!(&steps[1], Step::Write(Change::Report(_))), "before anything is served: {steps:?}");
    assert_eq!(steps[2], Step::Serve(RenewalReason::First));
    assert_eq!(scene.step(), Step::Wait(Phase::Settled));
    assert!(scene.stored().is_settled());
}

#[test]
fn a_rotation_that_is_asked_for_goes_through_its_phases_once() {
    let mut scene = Scene::settled();
    let old = scene.serving.clone().unwrap();
    scene.ask("now");
    assert_eq!(scene.run(), [Step::Write(Change::Begin(RotationReason::Asked("now".to_owned())))]);
    assert_eq!(scene.step(), Step::Wait(Phase::Publishing));
    assert_eq!((scene.stored().bundle.len(), scene.serving.as_ref()), (2, Some(&old)));

    scene.publish();
    scene.held_for = Some(PROPAGATION / 2);
    assert_eq!(scene.step(), Step::Wait(Phase::Publishing), "API servers may not know it yet");
    assert_eq!(scene.view(wake), Some(PROPAGATION / 2));
    scene.held_for = Some(PROPAGATION);
    let steps = scene.run();
    assert_eq!(steps[..2], [Step::Write(Change::Promote), Step::Serve(RenewalReason::Authority)]);
    assert!(
        matches!(&steps[2..], [Step::Write(Change::Report(_)), Step::Write(Change::Retire)]),
        "{steps:?}"
    );
    assert_ne!(scene.serving.as_ref().unwrap().fingerprint, old.fingerprint);
    assert!(!scene.stored().bundle.contains(&old.fingerprint));
    assert_eq!(scene.step(), Step::Wait(Phase::Settled));
}

#[test]
fn an_authority_is_kept_while_a_replica_may_serve_under_it() {
    let mut scene = Scene::settled();
    let stored = scene.stored();
    scene.other_serves(stored.signer.as_ref().unwrap(), later(30));
    scene.ask("now");
    scene.run();
    scene.publish();
    assert!(!writes(&scene.run()).contains(&&Change::Retire));
    assert_eq!(scene.step(), Step::Wait(Phase::Retiring));
    assert_eq!(scene.stored().matching(), Match::AtLeast);

    let mut reports =
        Scene { secret: scene.secret.clone(), serving: scene.serving.clone(), ..Scene::settled() };
    reports.other_serves(scene.stored().signer.as_ref().unwrap(), later(30));
    assert_eq!(writes(&reports.run()), [&Change::Retire]);

    // Of a replica that is gone nothing more is heard: its certificate ends, by the slowest clock too.
    scene.now = later(32);
    scene.serving.as_mut().unwrap().until = later(60);
    scene.serving.as_mut().unwrap().renew_at = later(50);
    assert!(!writes(&scene.run()).contains(&&Change::Retire));
    scene.now = later(33);
    assert!(writes(&scene.run()).contains(&&Change::Retire));
    assert!(scene.stored().report("pod-1").is_none());
}

#[test]
fn authority_and_leaf_are_renewed_in_time() {
    let mut scene = Scene::settled();
    scene.now = later(19);
    assert_eq!(scene.step(), Step::Wait(Phase::Settled));
    scene.now = later(20);
    let steps = scene.run();
    assert_eq!(steps[0], Step::Serve(RenewalReason::Due));
    assert!(
        matches!(&steps[1..], [Step::Write(Change::Report(_))]),
        "the longer life is reported: {steps:?}"
    );

    scene.now = later(250);
    scene.run();
    assert_eq!(scene.stored().phase(), Phase::Publishing);
    scene.publish();
    scene.run();
    assert!(scene.stored().is_settled());
    assert!(scene.stored().signer.unwrap().not_after() > later(600));
}

#[test]
fn a_leaf_at_the_end_of_its_authority_is_not_issued_over_and_over() {
    let mut scene = Scene::settled();
    let end = scene.stored().signer.unwrap().not_after();
    scene.now = end - SignedDuration::from_hours(5);
    scene.serving.as_mut().unwrap().until = end;
    assert!(!scene.run().contains(&Step::Serve(RenewalReason::Due)));
}

#[test]
fn a_secret_that_went_comes_back_without_a_moment_of_doubt() {
    let mut scene = Scene::settled();
    let served = scene.serving.clone().unwrap();
    scene.secret = None;
    scene.run();
    let stored = scene.stored();
    assert!(stored.signer.is_err() && stored.next.is_some(), "the new authority waits until it is published");
    assert!(stored.bundle.contains(&served.fingerprint) && stored.reports.contains_key(UNKNOWN));
    scene.publish();
    scene.run();
    assert_ne!(scene.serving.as_ref().unwrap().fingerprint, served.fingerprint);
    assert_eq!(
        scene.step(),
        Step::Wait(Phase::Retiring),
        "others may still serve under the one that was lost"
    );
    scene.now = later(19);
    assert_eq!(scene.stored().bundle.len(), 2);
}

#[test]
fn a_replica_that_starts_then_serves_nothing_until_it_can_be_verified() {
    let mut scene = Scene::settled();
    (scene.secret, scene.serving) = (None, None);
    scene.run();
    assert!(scene.serving.is_none());
    scene.publish();
    scene.run();
    assert!(scene.serving.is_some());
}

#[test]
fn our_own_scrap_is_replaced_and_what_is_served_goes_on() {
    for key in [CERTIFICATE, KEY] {
        let mut scene = Scene::settled();
        let served = scene.serving.clone().unwrap();
        scene.secret.as_mut().unwrap().data.insert(key.to_owned(), b"scrap".to_vec());
        let steps = scene.run();
        assert!(matches!(writes(&steps)[..], [Change::Begin(RotationReason::Unusable(_))]), "{steps:?}");
        assert!(scene.stored().bundle.contains(&served.fingerprint));
        assert_eq!(scene.serving.as_ref(), Some(&served));
    }
}

#[test]
fn an_older_secret_that_is_brought_back_learns_what_is_served() {
    let mut scene = Scene::settled();
    let backup = scene.secret.clone();
    scene.ask("now");
    scene.run();
    scene.publish();
    scene.run();
    scene.publish();
    let served = scene.serving.clone().unwrap();
    scene.secret = backup;
    scene.held_for = None;
    let steps = scene.run();
    assert_eq!(steps[0], Step::Write(Change::RepublishOwnCa));
    assert_eq!(scene.serving.as_ref(), Some(&served), "until all are published");
    assert!(scene.stored().bundle.contains(&served.fingerprint));
}

#[test]
fn somebody_elses_secret_is_used_when_good_and_never_written() {
    let mut scene = Scene::settled();
    let secret = scene.secret.as_mut().unwrap();
    secret.labels.clear();
    secret.annotations.insert(ROTATE.to_owned(), "now".to_owned());
    scene.serving = None;
    assert_eq!(scene.run(), [Step::Serve(RenewalReason::First)]);
    scene.now = later(19);
    assert_eq!(scene.step(), Step::Wait(Phase::Borrowed));

    // Another authority of theirs counts once it is published.
    let other = Authority::generate(now()).unwrap();
    scene.secret.as_mut().unwrap().set_signer(Some(&other));
    scene.held_for = Some(PROPAGATION / 2);
    assert_eq!(scene.step(), Step::Wait(Phase::Borrowed));
    assert_eq!(scene.stored().matching(), Match::AtLeast);
    scene.held_for = Some(PROPAGATION);
    assert_eq!(scene.run(), [Step::Serve(RenewalReason::Authority)]);

    scene.now = later(400);
    assert!(matches!(scene.step(), Step::Foreign(Reason::Expired(_))));
    scene.secret.as_mut().unwrap().data.clear();
    assert_eq!(scene.step(), Step::Foreign(Reason::Missing(CERTIFICATE)));
}

#[test]
fn a_day_more_or_less_makes_no_difference() {
    for days in [-1, 1] {
        let mut scene = Scene::settled();
        scene.now = later(days);
        assert_eq!(scene.step(), Step::Wait(Phase::Settled));
        scene.serving = None;
        assert!(scene.run().contains(&Step::Serve(RenewalReason::First)));
    }
}

#[test]
fn a_bundle_does_not_grow_without_end() {
    let mut scene = Scene::settled();
    let first = scene.stored();
    scene.other_serves(first.signer.as_ref().unwrap(), later(30));
    for round in 0..20 {
        scene.ask(&round.to_string());
        scene.run();
        scene.publish();
        scene.run();
    }
    assert_eq!(scene.stored().bundle.len(), MOST_AUTHORITIES);
    scene.secret.as_mut().unwrap().set_report("pod-1", None);
    scene.run();
    scene.publish();
    scene.run();
    assert!(scene.stored().is_settled() && scene.stored().asked.is_none(), "what was asked is not forgotten");
}
