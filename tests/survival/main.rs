//! Everything goes wrong that can: the operator is killed, its calls fail, what it hears is late or lost. Every
//! session ends as if nothing had happened: nothing is made twice, nothing is left over, no result is lost.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test that cannot go on ends the test"
)]

mod answers;
mod foreign;
mod kills;
mod late;
mod line;
mod operator;
mod outages;
mod plots;
mod stage;
mod story;
mod sweep;
mod watched;
mod witness;
