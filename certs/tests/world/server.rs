//! The API servers: what is stored, who is told, and when they know what is published.

use super::*;

impl World {
    pub(super) fn put(&mut self, data: Option<SecretData>) {
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

    pub(super) fn publish(&mut self, index: usize, pem: Vec<u8>) {
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
    pub(super) fn tell(&mut self, n: usize, event: Event) {
        let late = if self.rng.random_bool(0.1) { 60 * SECOND } else { SECOND / 5 };
        let watch = match event {
            Event::ConfigurationSeen(index, _) => index,
            _ => 2,
        };
        let at = (self.now + self.rng.random_range(1..late)).max(self.replicas[n].told_until[watch]);
        self.replicas[n].told_until[watch] = at;
        self.push(n, at - self.now, event);
    }

    /// API servers take in what they were told by now; an older version never follows a newer one.
    pub(super) fn learn(&mut self) {
        let now = self.now;
        for (_, server, index, published) in self.coming.extract_if(.., |(at, ..)| *at <= now) {
            let known = &mut self.known[server][index];
            if published.version > known.version {
                *known = published;
            }
        }
    }

    pub(super) fn serve(&mut self, request: Request) -> Answer {
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
}
