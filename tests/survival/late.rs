//! What the operator hears is late, so that it decides on what has long changed: every session ends as it should
//! all the same.

use crate::{
    line::Lag,
    plots,
    stage::Stage,
    story::{Telling, tell, undisturbed},
};
use futures::future::join_all;
use std::time::Duration;

/// All watches are late alike, or some more than others.
const LAGS: [Lag; 3] = [
    |_| Duration::from_millis(700),
    |path| if path.ends_with("/amaltheasessions") { Duration::from_secs(2) } else { Duration::ZERO },
    |path| if path.ends_with("/amaltheasessions") { Duration::ZERO } else { Duration::from_secs(2) },
];

#[tokio::test(flavor = "multi_thread")]
async fn late_news_change_no_end() {
    let stage = &Stage::set().await;
    let plots = [plots::always(), plots::held_back(), plots::finishes(), plots::fails()];
    let stories = join_all(plots.iter().map(async |plot| {
        let undisturbed = &undisturbed(plot).await;
        let late = join_all(
            LAGS.map(|lag| tell(stage, plot, Telling { fault: None, lag, undisturbed: Some(undisturbed) })),
        );
        late.await.into_iter().collect::<Result<Vec<_>, String>>()
    }));
    let failures: Vec<String> = stories.await.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
