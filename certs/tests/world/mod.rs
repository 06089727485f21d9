//! A cluster in memory, as far as certificates see it: one Secret, two configurations, two API servers.

mod replica;
mod server;
mod tally;

pub(crate) use tally::Tally;

use jiff::{SignedDuration, Timestamp};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sojourn_certs::{
    Bundle, Leaf, Names, SecretData, Stored,
    bundle::{Match, to_publish},
    propagation::BundlePropagation,
    rotation::{self, Change, Serving, Step, View},
    store::ROTATE,
    verify,
};
use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
    time::{Duration, Instant},
};

const SECOND: u64 = 1000;
const PROPAGATION: u64 = 10 * SECOND;
const HOST: &str = "hook.ns.svc";

/// Minutes in the units of the world's clock.
pub(crate) fn minutes(n: u64) -> u64 {
    n * 60 * SECOND
}

/// One version of the Secret.
struct Version {
    number: u64,
    data: SecretData,
    stored: Stored,
}

/// One version of what a configuration publishes.
#[derive(Clone, Default)]
struct Published {
    version: u64,
    pem: Vec<u8>,
    bundle: Bundle,
}

#[derive(Clone)]
enum Request {
    /// Creates the Secret, or replaces the version that is named.
    Put(Option<u64>, SecretData),
    Get,
    /// Publishes in a configuration, if it is still of that version.
    Patch(usize, u64, Vec<u8>),
}

#[derive(Clone)]
enum Answer {
    Secret(Option<Rc<Version>>),
    Conflict,
    Patched,
}

enum Event {
    Wake,
    Arrive(u64, Request, Option<u64>),
    Answer(u64, Answer),
    GiveUp(u64),
    /// A watch tells of the Secret, or of a configuration.
    SecretSeen(Option<Rc<Version>>),
    ConfigurationSeen(usize, Published),
}

struct Replica {
    name: String,
    offset: SignedDuration,
    life: u64,
    /// Each of the three watches tells in order, and is late by itself.
    told_until: [u64; 3],
    asleep_until: u64,
    /// The next time that it looks at its clock.
    wakes_at: u64,
    waits_for: Option<u64>,
    /// The configuration that is to be written once the Secret is read.
    publishing: Option<(usize, Published)>,
    secret: Option<Rc<Version>>,
    configurations: [Published; 2],
    held: BundlePropagation,
    serving: Option<(Serving, Leaf)>,
}

/// The world and everybody in it.
pub(crate) struct World {
    rng: StdRng,
    now: u64,
    start: Timestamp,
    base: Instant,
    /// What replicas believe that API servers need at most.
    pub(crate) propagation: Duration,
    /// Whether Secrets are deleted and replicas come back under another name: what was served then is kept
    /// published until it is over, and there are fewer rotations.
    forgetful: bool,
    secret: Option<Rc<Version>>,
    secret_since: u64,
    versions: u64,
    configurations: [Published; 2],
    /// What the API servers know: by server and configuration.
    known: [[Published; 2]; 2],
    /// What they will know, and when, in order.
    coming: Vec<(u64, usize, usize, Published)>,
    replicas: Vec<Replica>,
    queue: BTreeMap<(u64, u64), (usize, u64, Event)>,
    sequence: u64,
    requests: u64,
    tally: Tally,
    verdicts: HashMap<(Vec<u8>, Vec<u8>), bool>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut world = Self {
            rng: StdRng::seed_from_u64(seed),
            now: 0,
            start: "2026-05-01T12:00:00Z".parse().unwrap(),
            base: Instant::now(),
            propagation: Duration::from_millis(PROPAGATION),
            forgetful: seed % 2 == 1,
            secret: None,
            secret_since: 0,
            versions: 0,
            configurations: Default::default(),
            known: Default::default(),
            coming: Vec::new(),
            replicas: Vec::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            requests: 0,
            tally: Tally::default(),
            verdicts: HashMap::new(),
        };
        for n in 0..3 {
            let offset = SignedDuration::from_hours(world.rng.random_range(-24..=24));
            world.replicas.push(Replica {
                name: format!("pod-{n}"),
                offset,
                life: 0,
                told_until: [0; 3],
                asleep_until: 0,
                wakes_at: 0,
                waits_for: None,
                publishing: None,
                secret: None,
                configurations: Default::default(),
                held: BundlePropagation::default(),
                serving: None,
            });
            world.push(n, 0, Event::Wake);
        }
        world
    }

    /// What happened.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// Plays on until `until`, with or without harm being done.
    pub(crate) fn run(&mut self, until: u64, chaos: bool) {
        while self.now < until {
            self.step(chaos);
            self.learn();
            self.check();
        }
    }

    /// Everybody serves under the authority that signs, and all that is known holds it.
    pub(crate) fn all_is_well(&self) {
        let secret = self.secret.as_ref().unwrap();
        let signer = secret.stored.signer.as_ref().unwrap().fingerprint();
        assert!(secret.stored.next.is_none(), "a rotation never ends");
        for replica in &self.replicas {
            assert_eq!(replica.serving.as_ref().unwrap().0.fingerprint, signer, "{}", replica.name);
        }
        for known in self.known.iter().flatten() {
            assert!(known.bundle.covers(&secret.stored.bundle));
        }
    }

    /// The promise. A bundle that somebody blanked is none.
    fn check(&mut self) {
        let now = self.start + SignedDuration::from_millis(i64::try_from(self.now).unwrap());
        for replica in &self.replicas {
            let Some((serving, leaf)) = &replica.serving else { continue };
            for known in self.known.iter().flatten().filter(|known| !known.bundle.is_empty()) {
                let key = (leaf.certificate().to_vec(), known.pem.clone());
                let chain = [leaf.certificate().clone()];
                let good = *self
                    .verdicts
                    .entry(key)
                    .or_insert_with(|| verify(&chain, &known.bundle, HOST, now).is_ok());
                assert!(
                    good,
                    "at {}: {} serves under {} and an API server knows {:?} (version {})",
                    self.now,
                    replica.name,
                    serving.fingerprint,
                    known.bundle.fingerprints().map(ToString::to_string).collect::<Vec<_>>(),
                    known.version
                );
            }
        }
    }

    fn push(&mut self, replica: usize, after: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), (replica, self.replicas[replica].life, event));
    }

    fn step(&mut self, chaos: bool) {
        let Some(((time, _), (n, life, event))) = self.queue.pop_first() else {
            panic!("everybody fell asleep for ever")
        };
        self.now = time;
        self.tally.events += 1;
        if chaos {
            self.people();
        }
        if let Event::Arrive(request, what, answer_after) = event {
            let answer = self.serve(what);
            if let (Some(after), true) = (answer_after, life == self.replicas[n].life) {
                self.push(n, after, Event::Answer(request, answer));
            }
            return;
        }
        if life != self.replicas[n].life {
            return;
        }
        if self.replicas[n].asleep_until > self.now {
            let rest = self.replicas[n].asleep_until - self.now;
            return self.push(n, rest, event);
        }
        if chaos {
            match self.rng.random_range(0..600) {
                0..4 => self.replicas[n].asleep_until = self.now + self.rng.random_range(0..90 * SECOND),
                4..12 => return self.reborn(n),
                _ => {}
            }
        }
        match event {
            Event::Wake => {}
            Event::SecretSeen(secret) => {
                let number = |version: &Option<Rc<Version>>| version.as_ref().map_or(0, |it| it.number);
                let replica = &mut self.replicas[n];
                if secret.is_none() || number(&secret) > number(&replica.secret) {
                    replica.secret = secret;
                }
            }
            Event::ConfigurationSeen(index, published) => {
                let seen = &mut self.replicas[n].configurations[index];
                if published.version > seen.version {
                    *seen = published;
                }
            }
            Event::Answer(request, answer) => return self.answered(n, request, Some(answer), chaos),
            Event::GiveUp(request) => return self.answered(n, request, None, chaos),
            Event::Arrive(..) => unreachable!("handled above"),
        }
        if self.replicas[n].waits_for.is_none() {
            self.act(n, chaos);
        }
    }

    /// What people do: seldom, and never the next thing before the last one has been noticed.
    fn people(&mut self) {
        match self.rng.random_range(0..2000) {
            0..20 => {
                if let Some(secret) = self.secret.clone() {
                    let mut data = secret.data.clone();
                    data.annotations.insert(ROTATE.to_owned(), self.now.to_string());
                    self.put(Some(data));
                }
            }
            20..26 if self.forgetful && self.now > self.secret_since + minutes(2) => {
                self.tally.deleted += 1;
                self.put(None);
            }
            26..30 => {
                self.tally.blanked += 1;
                let index = self.rng.random_range(0..2);
                self.publish(index, Vec::new());
            }
            _ => {}
        }
    }
}
