//! The annotations on a pod that say what its pretended containers do.
//!
//! Without any of them a pod becomes Running and Ready after [`crate::Options::pod_start_delay`] and
//! stays so, pods of Jobs included. They are read at every step, so annotating a live pod works:
//! `kubectl annotate pod p sojourn.dev/test-pod=not-ready` takes its readiness away, removing the
//! annotation gives it back. Durations are Go durations (`2s`, `1m30s`).

/// What the pod does: one of [`PENDING`], [`NOT_READY`], [`CRASH_LOOP`], [`IMAGE_PULL_FAIL`].
pub const ACT: &str = "sojourn.dev/test-pod";

/// Value of [`ACT`]: containers stay in `ContainerCreating`, the pod stays Pending.
pub const PENDING: &str = "pending";

/// Value of [`ACT`]: containers run, readiness is False.
pub const NOT_READY: &str = "not-ready";

/// Value of [`ACT`]: containers have ended with [`EXIT_CODE`] (default 1) and wait in `CrashLoopBackOff`.
pub const CRASH_LOOP: &str = "crash-loop";

/// Value of [`ACT`]: the pod stays Pending, its containers wait in `ImagePullBackOff`.
pub const IMAGE_PULL_FAIL: &str = "image-pull-fail";

/// How long this pod takes to start, in place of [`crate::Options::pod_start_delay`].
pub const START_DELAY: &str = "sojourn.dev/test-start-delay";

/// How long after it runs the pod ends with [`EXIT_CODE`]: phase Succeeded or Failed. Without it a pod
/// never ends. No effect where a kubelet would restart the container instead (restart policy Always,
/// or OnFailure with an exit code other than 0): use [`CRASH_LOOP`] there.
pub const COMPLETE_AFTER: &str = "sojourn.dev/test-complete-after";

/// The exit code of the containers, as text. Default 0, in a crash loop 1.
pub const EXIT_CODE: &str = "sojourn.dev/test-exit-code";

/// The reason of the terminated state, such as `OOMKilled`. Default `Completed` or `Error`.
pub const EXIT_REASON: &str = "sojourn.dev/test-exit-reason";

/// How long a deleted pod takes to end. Default at once.
pub const STOP_DELAY: &str = "sojourn.dev/test-stop-delay";

/// The exit code of the containers of a deleted pod. Default 143, a process ended by SIGTERM.
pub const STOP_EXIT_CODE: &str = "sojourn.dev/test-stop-exit-code";
