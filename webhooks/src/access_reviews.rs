//! How accesses are reviewed by the API server: few for one request, few of one request at a time, and few of all.
//!
//! Anybody can send a request that needs many reviews, and each is a call. What is held back waits within the deadline of
//! its request. A review that misses the deadline is unknown, and its rule refuses.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream;
use k8s_openapi::api::authentication::v1::UserInfo;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::facts::{Access, AccessFuture, AccessReview, Authorizer, MOST_REVIEWS};
use crate::metrics::Metrics;

/// Reviews of all requests at a time.
const AT_A_TIME: usize = 32;
/// Those of one request: one with many does not hold up those with one.
const AT_A_TIME_OF_ONE_REQUEST: usize = 8;

/// Starts few reviews at a time, whoever asks for them.
pub(crate) struct FewAtATime {
    authorizer: Arc<dyn Authorizer>,
    asking: Semaphore,
}

impl FewAtATime {
    pub(crate) fn new(authorizer: Arc<dyn Authorizer>) -> Self {
        Self { authorizer, asking: Semaphore::new(AT_A_TIME) }
    }
}

impl Authorizer for FewAtATime {
    fn review<'a>(&'a self, user: &'a UserInfo, review: &'a AccessReview) -> AccessFuture<'a> {
        Box::pin(async move {
            match self.asking.acquire().await {
                Ok(_permit) => self.authorizer.review(user, review).await,
                // It is never closed.
                Err(_) => Access::Unknown,
            }
        })
    }
}

/// Has the accesses of one request reviewed. More than [`MOST_REVIEWS`] are not.
pub(crate) async fn review_all(
    authorizer: &dyn Authorizer,
    metrics: &Metrics,
    user: &UserInfo,
    reviews: Vec<AccessReview>,
    deadline: Instant,
) -> BTreeMap<AccessReview, Access> {
    let asked = reviews.into_iter().take(MOST_REVIEWS).map(async |review| {
        let answer = timeout_at(deadline, authorizer.review(user, &review)).await;
        let answer = answer.unwrap_or_else(|_| {
            metrics.access_review_timed_out();
            Access::Unknown
        });
        (review, answer)
    });
    stream::iter(asked).buffer_unordered(AT_A_TIME_OF_ONE_REQUEST).collect().await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    /// An API server that takes a second for each question, and counts.
    #[derive(Default)]
    struct Slow {
        asked: AtomicUsize,
        now: AtomicUsize,
        most: AtomicUsize,
    }

    impl Authorizer for Slow {
        fn review<'a>(&'a self, _: &'a UserInfo, _: &'a AccessReview) -> AccessFuture<'a> {
            Box::pin(async {
                self.asked.fetch_add(1, Ordering::Relaxed);
                let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
                self.most.fetch_max(now, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(1)).await;
                self.now.fetch_sub(1, Ordering::Relaxed);
                Access::Allowed
            })
        }
    }

    fn questions(count: usize) -> Vec<AccessReview> {
        let question = |number| AccessReview {
            verb: "delete",
            group: "",
            resource: "secrets",
            namespace: "ns".to_owned(),
            name: format!("s{number}"),
        };
        (0..count).map(question).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn one_request_asks_few_questions_and_few_at_a_time() {
        let (slow, metrics) = (Slow::default(), Metrics::default());
        let deadline = Instant::now() + Duration::from_secs(60);
        let answers = review_all(&slow, &metrics, &UserInfo::default(), questions(5000), deadline).await;
        assert_eq!((answers.len(), slow.asked.into_inner()), (MOST_REVIEWS, MOST_REVIEWS));
        assert_eq!(slow.most.into_inner(), AT_A_TIME_OF_ONE_REQUEST);
    }

    #[tokio::test(start_paused = true)]
    async fn all_requests_together_ask_few_questions_at_a_time() {
        let (slow, metrics) = (Arc::new(Slow::default()), Metrics::default());
        let few = FewAtATime::new(slow.clone());
        let deadline = Instant::now() + Duration::from_secs(60);
        let user = UserInfo::default();
        let requests = (0..20).map(|_| review_all(&few, &metrics, &user, questions(8), deadline));
        for answers in futures::future::join_all(requests).await {
            assert!(answers.values().all(|answer| *answer == Access::Allowed));
        }
        assert_eq!(slow.most.load(Ordering::Relaxed), AT_A_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_others_until_the_deadline_is_unknown() {
        let (slow, metrics) = (Slow::default(), Metrics::default());
        let deadline = Instant::now() + Duration::from_millis(1500);
        let answers = review_all(&slow, &metrics, &UserInfo::default(), questions(16), deadline).await;
        let count = |access| answers.values().filter(|answer| **answer == access).count();
        assert_eq!((count(Access::Allowed), count(Access::Unknown)), (8, 8));
    }
}
