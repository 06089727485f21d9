//! The operator is killed at each of its calls and at each event that it hears of, and started again: every
//! session ends as if nothing had happened.

use crate::{line::Trouble, plots, stage::Stage, sweep::sweep};

const KILLS: [Trouble; 3] = [Trouble::DieBefore, Trouble::DieAfter, Trouble::DieOnEvent];
/// All moments would take half an hour.
const STRIDE: u64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_session_is_edited_and_bent() {
    sweep(&Stage::set().await, &plots::always(), &KILLS, STRIDE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_changes_of_a_session_wait() {
    sweep(&Stage::set().await, &plots::held_back(), &KILLS, STRIDE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_time_of_a_session_is_over() {
    sweep(&Stage::set().await, &plots::culled(), &KILLS, STRIDE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_batch_session_finishes() {
    sweep(&Stage::set().await, &plots::finishes(), &KILLS, STRIDE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_batch_session_fails() {
    sweep(&Stage::set().await, &plots::fails(), &KILLS, STRIDE).await;
}
