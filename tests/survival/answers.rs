//! Each call is refused or its answer lost, and each watch is told that it is too old, one after the other: the
//! operator tries again, and every session ends as if nothing had happened.

use crate::{
    line::Trouble::{Expire, LoseAnswer, Refuse},
    plots,
    stage::Stage,
    sweep::sweep,
};

#[tokio::test(flavor = "multi_thread")]
async fn refused_while_a_session_is_edited_and_bent() {
    let troubles = [Refuse(409), Refuse(429), Refuse(500), LoseAnswer, Expire];
    sweep(&Stage::set().await, &plots::always(), &troubles, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_while_a_batch_session_finishes() {
    let troubles = [LoseAnswer, Refuse(500), Expire, Refuse(409), Refuse(429)];
    sweep(&Stage::set().await, &plots::finishes(), &troubles, 5).await;
}
