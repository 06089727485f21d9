//! Which sessions are reached at the same address.

use crate::control::key::Key;
use k8s_openapi::jiff::Timestamp;
use std::collections::HashMap;

/// A session that has a route, with the moment of its creation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Holder {
    created: Option<Timestamp>,
    key: Key,
}

/// Routes, with those that have them, the eldest first.
#[derive(Default)]
pub(super) struct Routes(HashMap<Box<str>, Vec<Holder>>);

impl Routes {
    /// Notes that the session has the route.
    pub(super) fn add(&mut self, route: &str, key: &Key, created: Option<Timestamp>) {
        let holders = self.0.entry(route.into()).or_default();
        holders.push(Holder { created, key: key.clone() });
        holders.sort_unstable();
    }

    /// Forgets that the session has the route.
    pub(super) fn remove(&mut self, route: &str, key: &Key) {
        if let Some(holders) = self.0.get_mut(route) {
            holders.retain(|holder| holder.key != *key);
            if holders.is_empty() {
                self.0.remove(route);
            }
        }
    }

    /// The sessions that have the route, the eldest first.
    pub(super) fn holders(&self, route: &str) -> impl Iterator<Item = &Key> {
        self.0.get(route).into_iter().flatten().map(|holder| &holder.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eldest_comes_first_and_nothing_is_kept_of_routes_that_nobody_has() {
        let mut routes = Routes::default();
        let (old, new) = (Key::new("b", "old"), Key::new("a", "new"));
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        routes.add("host/path", &new, at(2));
        routes.add("host/path", &old, at(1));
        routes.add("host/other", &new, at(2));
        assert_eq!(routes.holders("host/path").collect::<Vec<_>>(), [&old, &new]);
        routes.remove("host/path", &old);
        assert_eq!(routes.holders("host/path").collect::<Vec<_>>(), [&new]);
        routes.remove("host/path", &new);
        routes.remove("host/other", &new);
        assert!(routes.0.is_empty());
    }
}
