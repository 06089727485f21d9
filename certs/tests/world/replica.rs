//! What a replica does when it wakes, when it is answered, and when it dies.

use super::*;

impl World {
    pub(super) fn send(&mut self, n: usize, request: Request, chaos: bool) {
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
    pub(super) fn reborn(&mut self, n: usize) {
        let new_name = self.forgetful && self.rng.random_bool(0.3);
        self.tally.crashed += 1;
        let name = format!("pod-{n}-{}", self.replicas[n].life);
        if self.rng.random_bool(0.5)
            && let Some(secret) = self.secret.clone()
        {
            // It ended well: it serves no more, and said so.
            let mut data = secret.data.clone();
            data.set_report(&self.replicas[n].name, None);
            self.put(Some(data));
        }
        let (secret, configurations) = (self.secret.clone(), self.configurations.clone());
        let replica = &mut self.replicas[n];
        replica.life += 1;
        if new_name {
            replica.name = name;
        }
        (replica.waits_for, replica.publishing, replica.serving) = (None, None, None);
        (replica.secret, replica.configurations) = (secret, configurations);
        (replica.held, replica.told_until, replica.wakes_at) = (BundlePropagation::default(), [0; 3], 0);
        let slow = if self.rng.random_bool(0.2) { 90 * SECOND } else { 5 * SECOND };
        let after = self.rng.random_range(0..slow);
        self.replicas[n].asleep_until = self.now + after;
        self.push(n, after, Event::Wake);
    }

    pub(super) fn act(&mut self, n: usize, chaos: bool) {
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
                assert!(
                    change != Change::RepublishOwnCa || chaos,
                    "in calm times the Secret knows what is served"
                );
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
        let stale = replica.configurations.iter().position(|live| match stored.matching() {
            Match::Exactly => !live.bundle.same_as(&stored.bundle),
            Match::AtLeast => !live.bundle.covers(&stored.bundle),
        });
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

    pub(super) fn answered(&mut self, n: usize, request: u64, answer: Option<Answer>, chaos: bool) {
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
