//! A cluster in memory, as far as certificates see it: one Secret, two configurations, two API servers.

use jiff::{SignedDuration, Timestamp};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sojourn_certs::{
    Bundle, Leaf, Names, SecretData, Stored,
    bundle::to_publish,
    held::Held,
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

/// What happened in a run, or in several.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) events: u64,
    /// Authorities that came into force.
    pub(crate) promoted: u64,
    /// Writes that dropped an authority.
    pub(crate) retired: u64,
    pub(crate) deleted: u64,
    pub(crate) blanked: u64,
    pub(crate) crashed: u64,
}

impl std::ops::Add for Tally {
    type Output = Self;
    fn add(self, more: Self) -> Self {
        Self {
            events: self.events + more.events,
            promoted: self.promoted + more.promoted,
            retired: self.retired + more.retired,
            deleted: self.deleted + more.deleted,
            blanked: self.blanked + more.blanked,
            crashed: self.crashed + more.crashed,
        }
    }
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
    /// Ends of watches are told in order.
    told_until: u64,
    asleep_until: u64,
    /// The next time that it looks at its clock.
    wakes_at: u64,
    waits_for: Option<u64>,
    /// The configuration that is to be written once the Secret is read.
    publishing: Option<(usize, Published)>,
    secret: Option<Rc<Version>>,
    configurations: [Published; 2],
    held: Held,
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
                told_until: 0,
                asleep_until: 0,
                wakes_at: 0,
                waits_for: None,
                publishing: None,
                secret: None,
                configurations: Default::default(),
                held: Held::default(),
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

    fn put(&mut self, data: Option<SecretData>) {
        self.versions += 1;
        if self.secret.is_none() != data.is_none() {
            self.secret_since = self.now;
        }
        self.secret = data.map(|data| {
            let stored = Stored::read(&data);
            Rc::new(Version { number: self.versions, data, stored })
        });
        for n in 0..self.replicas.len() {
            let event = Event::SecretSeen(self.secret.clone());
            self.tell(n, event);
        }
    }

    fn publish(&mut self, index: usize, pem: Vec<u8>) {
        self.versions += 1;
        let bundle = Bundle::parse(&pem).unwrap();
        let published = Published { version: self.versions, pem, bundle };
        self.configurations[index] = published.clone();
        for server in 0..2 {
            let at = self.now + self.rng.random_range(0..PROPAGATION - SECOND);
            self.coming.push((at, server, index, published.clone()));
        }
        for n in 0..self.replicas.len() {
            self.tell(n, Event::ConfigurationSeen(index, published.clone()));
        }
    }

    /// A watch: late, but in order.
    fn tell(&mut self, n: usize, event: Event) {
        let late = if self.rng.random_bool(0.1) { 20 * SECOND } else { SECOND / 5 };
        let at = (self.now + self.rng.random_range(1..late)).max(self.replicas[n].told_until);
        self.replicas[n].told_until = at;
        self.push(n, at - self.now, event);
    }

    /// API servers take in what they were told by now; an older version never follows a newer one.
    fn learn(&mut self) {
        let now = self.now;
        for (_, server, index, published) in self.coming.extract_if(.., |(at, ..)| *at <= now) {
            let known = &mut self.known[server][index];
            if published.version > known.version {
                *known = published;
            }
        }
    }

    fn serve(&mut self, request: Request) -> Answer {
        match request {
            Request::Get => Answer::Secret(self.secret.clone()),
            Request::Put(base, data) => {
                if self.secret.as_ref().map(|secret| secret.number) != base {
                    return Answer::Conflict;
                }
                let look = |secret: &Option<Rc<Version>>| {
                    let stored = secret.as_ref().map(|secret| &secret.stored);
                    let signer = stored.and_then(|it| it.signer.as_ref().ok()).map(|it| it.fingerprint());
                    (signer, stored.map_or(0, |it| it.bundle.len()))
                };
                let before = look(&self.secret);
                self.put(Some(data));
                let after = look(&self.secret);
                self.tally.promoted += u64::from(after.0.is_some() && after.0 != before.0);
                self.tally.retired += u64::from(after.1 < before.1);
                Answer::Secret(self.secret.clone())
            }
            Request::Patch(index, base, pem) => {
                if self.configurations[index].version != base {
                    return Answer::Conflict;
                }
                self.publish(index, pem);
                Answer::Patched
            }
        }
    }

    fn send(&mut self, n: usize, request: Request, chaos: bool) {
        self.requests += 1;
        let id = self.requests;
        self.replicas[n].waits_for = Some(id);
        let (mut there, mut back) = (self.rng.random_range(1..40), Some(self.rng.random_range(1..40)));
        if chaos {
            match self.rng.random_range(0..100) {
                0..4 => return self.push(n, 15 * SECOND, Event::GiveUp(id)),
                4..8 => back = None,
                8..14 => there = self.rng.random_range(0..30 * SECOND),
                14..20 => back = Some(self.rng.random_range(0..30 * SECOND)),
                _ => {}
            }
        }
        self.push(n, 15 * SECOND, Event::GiveUp(id));
        self.push(n, there, Event::Arrive(id, request, back));
    }

    /// The process ends and another one takes its place, which first reads everything as it is.
    fn reborn(&mut self, n: usize) {
        let new_name = self.forgetful && self.rng.random_bool(0.3);
        self.tally.crashed += 1;
        let name = format!("pod-{n}-{}", self.replicas[n].life);
        let (secret, configurations) = (self.secret.clone(), self.configurations.clone());
        let replica = &mut self.replicas[n];
        replica.life += 1;
        if new_name {
            replica.name = name;
        }
        (replica.waits_for, replica.publishing, replica.serving) = (None, None, None);
        (replica.secret, replica.configurations) = (secret, configurations);
        (replica.held, replica.told_until, replica.wakes_at) = (Held::default(), 0, 0);
        let after = self.rng.random_range(0..5 * SECOND);
        self.push(n, after, Event::Wake);
    }

    fn act(&mut self, n: usize, chaos: bool) {
        let steady = self.base + Duration::from_millis(self.now);
        let now = self.start + SignedDuration::from_millis(i64::try_from(self.now).unwrap());
        let replica = &mut self.replicas[n];
        let secret = replica.secret.clone();
        let live = replica.configurations.iter().map(|it| &it.bundle);
        replica.held.see(secret.as_ref().map(|secret| &secret.stored.bundle), live.clone(), steady);
        let published = live.fold(Bundle::default(), Bundle::merge);
        let view = View {
            me: &replica.name,
            stored: secret.as_ref().map(|secret| &secret.stored),
            published: &published,
            held_for: replica.held.held_for(steady),
            propagation: self.propagation,
            serving: replica.serving.as_ref().map(|(serving, _)| serving),
            now: now + replica.offset,
        };
        match rotation::decide(&view) {
            Step::Create => {
                let made = rotation::create(&view).unwrap();
                return self.send(n, Request::Put(None, made), chaos);
            }
            Step::Write(change) => {
                let old = secret.as_ref().unwrap();
                let made = rotation::change(&view, &old.data, &change).unwrap();
                assert!(change != Change::Vouch || chaos, "in calm times the Secret knows what is served");
                return self.send(n, Request::Put(Some(old.number), made), chaos);
            }
            Step::Serve(_) => {
                let stored = &secret.as_ref().unwrap().stored;
                let authority = stored.signer(view.now).unwrap();
                let leaf = Leaf::issue(authority, &Names::service("hook", "ns", "cluster.local"), view.now);
                let leaf = leaf.unwrap();
                let serving = Serving {
                    authority: authority.certificate().to_vec(),
                    fingerprint: authority.fingerprint(),
                    renew_at: leaf.renew_at(),
                    until: leaf.not_after(),
                };
                replica.serving = Some((serving, leaf));
                return self.push(n, 0, Event::Wake);
            }
            Step::Foreign(reason) => panic!("it is ours: {reason}"),
            Step::Wait(_) => {}
        }
        let wake = rotation::wake(&view).map(|left| u64::try_from(left.as_millis()).unwrap() + 1);
        let stored = view.stored.unwrap();
        let stale = replica
            .configurations
            .iter()
            .position(|live| to_publish(&live.pem, &stored.bundle, stored.matching()).is_some());
        if let Some(index) = stale {
            replica.publishing = Some((index, replica.configurations[index].clone()));
            return self.send(n, Request::Get, chaos);
        }
        let wakes_at = self.now + wake.unwrap_or(60 * SECOND);
        let replica = &mut self.replicas[n];
        if replica.wakes_at <= self.now || wakes_at < replica.wakes_at {
            replica.wakes_at = wakes_at;
            self.push(n, wakes_at - self.now, Event::Wake);
        }
    }

    fn answered(&mut self, n: usize, request: u64, answer: Option<Answer>, chaos: bool) {
        let replica = &mut self.replicas[n];
        if replica.waits_for != Some(request) {
            return;
        }
        replica.waits_for = None;
        let publishing = replica.publishing.take();
        match answer {
            Some(Answer::Secret(secret)) => {
                let number = |version: &Option<Rc<Version>>| version.as_ref().map_or(0, |it| it.number);
                if secret.is_none() || number(&secret) >= number(&replica.secret) {
                    replica.secret = secret.clone();
                }
                if let (Some((index, live)), Some(secret)) = (publishing, secret) {
                    let stored = &secret.stored;
                    if let Some((_, bundle)) = to_publish(&live.pem, &stored.bundle, stored.matching()) {
                        let patch = Request::Patch(index, live.version, bundle.to_pem().into_bytes());
                        return self.send(n, patch, chaos);
                    }
                }
                self.push(n, 0, Event::Wake);
            }
            Some(Answer::Patched) => self.push(n, 0, Event::Wake),
            // Somebody else was faster: look.
            Some(Answer::Conflict) => self.send(n, Request::Get, chaos),
            None => self.push(n, SECOND / 2, Event::Wake),
        }
    }
}
