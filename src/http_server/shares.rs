//! A resource that clients share, by their addresses: whoever takes much of it leaves something for others.
//!
//! There is no fixed share. A client may hold three times what is free beyond a sixteenth, so one that is alone gets
//! seven tenths, and who comes later finds something. A client that has not proven itself may hold a quarter of what is
//! free beyond a quarter. A small share is given to whoever holds less, while there is one. So an API server, which comes
//! from few addresses with hundreds of requests at a time, is limited by what it uses itself, and strangers do not keep
//! it out, nor keep it from proving itself.

use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

/// Who takes a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimant {
    /// Its address.
    pub address: IpAddr,
    /// Whether its connection was found to be a good one.
    pub proven: bool,
}

/// One resource. Clones share it.
#[derive(Clone)]
pub(crate) struct Shares(Arc<Inner>);

struct Inner {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    free: usize,
    last_number: u64,
    holders: HashMap<IpAddr, Holder>,
}

/// What is known of an address while it holds something or waits.
#[derive(Default)]
struct Holder {
    held: usize,
    /// By amount, then in the order in which they came: little is not held up by much.
    waiting: BTreeMap<(usize, u64), Waiter>,
}

struct Waiter {
    proven: bool,
    granted: oneshot::Sender<Share>,
}

/// What a client has taken. It is free again once this is dropped.
pub(crate) struct Share {
    inner: Arc<Inner>,
    address: IpAddr,
    amount: usize,
}

impl Shares {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Arc::new(Inner { capacity, state: Mutex::new(State { free: capacity, ..State::default() }) }))
    }

    /// Takes `amount` if it is to be had at once.
    pub(crate) fn try_take(&self, claimant: Claimant, amount: usize) -> Option<Share> {
        self.0.take_now(&mut self.0.state.lock(), claimant, amount)
    }

    /// Takes `amount` as soon as it is to be had; `None` if that is not before `deadline`.
    pub(crate) async fn take(&self, claimant: Claimant, amount: usize, deadline: Instant) -> Option<Share> {
        // More than there is would never be had.
        let amount = amount.min(self.0.capacity);
        let (place, granted) = {
            let mut state = self.0.state.lock();
            if let Some(share) = self.0.take_now(&mut state, claimant, amount) {
                return Some(share);
            }
            state.wait(claimant, amount)
        };
        let _leaves = PlaceInQueue { inner: &self.0, address: claimant.address, place };
        timeout_at(deadline, granted).await.ok()?.ok()
    }
}

impl Inner {
    fn take_now(self: &Arc<Self>, state: &mut State, claimant: Claimant, amount: usize) -> Option<Share> {
        let held = state.holders.get(&claimant.address).map_or(0, |holder| holder.held);
        if amount > 0 {
            if !self.fits(state.free, held, amount, claimant.proven) {
                return None;
            }
            state.free -= amount;
            state.holders.entry(claimant.address).or_default().held += amount;
        }
        Some(Share { inner: self.clone(), address: claimant.address, amount })
    }

    /// Whether who holds `held` may take `amount` more while `free` is free. See the module.
    fn fits(&self, free: usize, held: usize, amount: usize, proven: bool) -> bool {
        // Whoever is alone gets what it asks for: a share may be larger than any fair part.
        if free == self.capacity {
            return amount <= free;
        }
        let Some(left) = free.checked_sub(amount) else { return false };
        let (holds, capacity) = (held + amount, self.capacity);
        let small = holds <= (capacity / 256).max(1);
        if proven {
            small || holds <= left.saturating_sub(capacity / 16).saturating_mul(3)
        } else {
            // The very last is for those that have proven themselves, however many strangers there are.
            let small = small && left >= capacity / 32;
            small || holds.saturating_mul(4) <= left.saturating_sub(capacity / 4)
        }
    }

    /// Gives back `amount`, and gives it to those who wait: whose address holds least comes first, the proven ones
    /// before the others.
    fn give_back(self: &Arc<Self>, address: IpAddr, amount: usize) {
        let mut granted = Vec::new();
        let mut state = self.state.lock();
        state.free += amount;
        if let Some(holder) = state.holders.get_mut(&address) {
            holder.held -= amount;
        }
        state.forget(address);
        while let Some((address, amount, waiter)) = self.next(&mut state) {
            granted.push((waiter.granted, Share { inner: self.clone(), address, amount }));
        }
        drop(state);
        for (granted, share) in granted {
            // Who has just stopped waiting gives it back by dropping it.
            granted.send(share).ok();
        }
    }

    /// Takes for the next of those who wait.
    fn next(&self, state: &mut State) -> Option<(IpAddr, usize, Waiter)> {
        let free = state.free;
        let heads = state.holders.iter().filter_map(|(address, holder)| {
            let ((amount, number), waiter) = holder.waiting.first_key_value()?;
            let fits = self.fits(free, holder.held, *amount, waiter.proven);
            fits.then_some((!waiter.proven, holder.held, *number, *amount, *address))
        });
        let (_, _, number, amount, address) = heads.min()?;
        let holder = state.holders.get_mut(&address)?;
        let waiter = holder.waiting.remove(&(amount, number))?;
        holder.held += amount;
        state.free -= amount;
        Some((address, amount, waiter))
    }
}

impl State {
    fn wait(&mut self, claimant: Claimant, amount: usize) -> ((usize, u64), oneshot::Receiver<Share>) {
        let (granted, receiver) = oneshot::channel();
        self.last_number += 1;
        let place = (amount, self.last_number);
        let waiter = Waiter { proven: claimant.proven, granted };
        self.holders.entry(claimant.address).or_default().waiting.insert(place, waiter);
        (place, receiver)
    }

    /// Forgets an address that neither holds anything nor waits.
    fn forget(&mut self, address: IpAddr) {
        if self.holders.get(&address).is_some_and(|holder| holder.held == 0 && holder.waiting.is_empty()) {
            self.holders.remove(&address);
        }
    }
}

/// Whoever stops waiting leaves the queue, and those behind it come nearer.
struct PlaceInQueue<'a> {
    inner: &'a Arc<Inner>,
    address: IpAddr,
    place: (usize, u64),
}

impl Drop for PlaceInQueue<'_> {
    fn drop(&mut self) {
        let left = {
            let mut state = self.inner.state.lock();
            state.holders.get_mut(&self.address).and_then(|holder| holder.waiting.remove(&self.place))
        };
        if left.is_some() {
            self.inner.give_back(self.address, 0);
        }
    }
}

impl Share {
    /// Gives back all but `amount`.
    pub(crate) fn shrink_to(&mut self, amount: usize) {
        let surplus = self.amount.saturating_sub(amount);
        self.amount -= surplus;
        if surplus > 0 {
            self.inner.give_back(self.address, surplus);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::Ipv4Addr, time::Duration};

    fn claimant(last: u8, proven: bool) -> Claimant {
        Claimant { address: Ipv4Addr::new(10, 0, 0, last).into(), proven }
    }

    /// Takes one at a time until no more is to be had.
    fn take_all(shares: &Shares, claimant: Claimant) -> Vec<Share> {
        std::iter::from_fn(|| shares.try_take(claimant, 1)).collect()
    }

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(3600)
    }

    #[test]
    fn who_is_alone_gets_most_and_a_stranger_less() {
        let shares = Shares::new(256);
        assert_eq!(take_all(&shares, claimant(1, true)).len(), 180);
        assert_eq!(take_all(&shares, claimant(1, false)).len(), 38);
        assert_eq!(take_all(&shares, claimant(1, true)).len(), 180, "all was given back");
    }

    #[test]
    fn greedy_clients_leave_something_for_one_that_comes() {
        for (proven, addresses) in [(true, 12), (false, 250)] {
            let shares = Shares::new(256);
            let _taken: Vec<_> =
                (2..=addresses).map(|last| take_all(&shares, claimant(last, proven))).collect();
            let mut came = take_all(&shares, claimant(1, true));
            assert!(!came.is_empty(), "nothing is left by those whose greed is proven: {proven}");
            // What they let go of is for the one that holds less, and not for them.
            came.clear();
            assert!(shares.try_take(claimant(1, true), 1).is_some());
        }
    }

    #[test]
    fn what_is_larger_than_any_share_is_had_by_who_is_alone() {
        let shares = Shares::new(8);
        let all = shares.try_take(claimant(1, false), 8).unwrap();
        assert!(shares.try_take(claimant(2, true), 1).is_none());
        drop(all);
        assert!(shares.try_take(claimant(2, true), 1).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_holds_less_comes_first_whoever_came_first() {
        let shares = Shares::new(256);
        let mut greedy = take_all(&shares, claimant(1, true));
        let _others = shares.try_take(claimant(2, true), 30).unwrap();
        let mut more = Box::pin(shares.take(claimant(1, true), 1, far()));
        let mut few = Box::pin(shares.take(claimant(3, true), 30, far()));
        assert!(futures::poll!(&mut more).is_pending() && futures::poll!(&mut few).is_pending());
        greedy.truncate(165);
        // It has what was given back, although the other one has waited for longer.
        let _few = few.await;
        assert!(futures::poll!(&mut more).is_pending());
        greedy.clear();
        assert!(more.await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn little_is_not_held_up_by_much_nor_by_who_stops_waiting() {
        let shares = Shares::new(256);
        let mut held = take_all(&shares, claimant(1, true));
        let mut large = Box::pin(shares.take(claimant(1, true), 200, far()));
        let mut gone = Box::pin(shares.take(claimant(1, true), 1, far()));
        let mut small = Box::pin(shares.take(claimant(1, true), 1, far()));
        for waiting in [&mut large, &mut gone, &mut small] {
            assert!(futures::poll!(waiting).is_pending());
        }
        drop(gone);
        held.pop();
        assert!(small.await.is_some());
        drop(large);
        held.clear();
        assert!(shares.0.state.lock().holders.is_empty(), "nothing is remembered of who left");
        assert_eq!(shares.0.state.lock().free, 256);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_at_the_deadline() {
        let shares = Shares::new(1);
        let all = shares.try_take(claimant(1, true), 1);
        let deadline = Instant::now() + Duration::from_secs(5);
        assert!(shares.take(claimant(2, true), 1, deadline).await.is_none());
        assert_eq!(Instant::now(), deadline);
        drop(all);
        assert!(shares.take(claimant(2, true), 1, deadline).await.is_some());
    }

    #[test]
    fn what_was_not_needed_is_given_back() {
        let shares = Shares::new(8);
        let mut share = shares.try_take(claimant(1, true), 8).unwrap();
        share.shrink_to(2);
        assert_eq!(shares.0.state.lock().free, 6);
        drop(share);
        assert_eq!(shares.0.state.lock().free, 8);
        assert!(shares.try_take(claimant(1, true), 0).is_some());
    }
}
