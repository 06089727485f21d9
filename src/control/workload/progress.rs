//! How many reports of progress are written. A person who starts a session sees its progress at once. When hundreds
//! start at the same time, these reports would be half of all requests, and delay the starts that they report.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Reports that are written at once.
const BURST: u32 = 10;
/// After this time one more is.
const REFILL: Duration = Duration::from_secs(2);

/// A bucket of tokens: each report of progress takes one.
#[derive(Debug)]
pub(super) struct ProgressBudget(Mutex<(f64, Instant)>);

impl Default for ProgressBudget {
    fn default() -> Self {
        Self(Mutex::new((f64::from(BURST), Instant::now())))
    }
}

impl ProgressBudget {
    /// Takes a token; false when there is none.
    pub(super) fn take(&self) -> bool {
        let mut bucket = self.0.lock();
        let (tokens, filled) = *bucket;
        let now = Instant::now();
        let added = (now - filled).as_secs_f64() / REFILL.as_secs_f64();
        let tokens = (tokens + added).min(f64::from(BURST));
        let taken = tokens >= 1.0;
        *bucket = (if taken { tokens - 1.0 } else { tokens }, now);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_written_at_once_and_a_crowd_is_not() {
        let budget = ProgressBudget::default();
        assert_eq!((0..500).filter(|_| budget.take()).count(), 10);
        tokio::time::advance(REFILL * 3).await;
        assert_eq!((0..500).filter(|_| budget.take()).count(), 3);
        tokio::time::advance(REFILL * 1000).await;
        assert_eq!((0..500).filter(|_| budget.take()).count(), 10);
    }
}
