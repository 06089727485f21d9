//! Brings the repositories of a session to its volume.
//!
//! * [`clone`]: one repository, as `cloner clone` of the original
//! * [`shellclone`]: the repositories that the environment names, as `cloner shellclone`
//! * [`remote`], [`revision`]: what a remote and a revision mean, as pure functions
//! * [`git`]: the `git` program, and how credentials reach it
//!
//! The work is that of the `git` program and not of a library: only it knows submodules, LFS, SSH and all of HTTP as
//! people know them from their own machines, and its errors are the ones that people find when they search for them.
//! The price is an image that has git, git-lfs and an SSH client.

pub(crate) mod clone;
pub(crate) mod git;
pub(crate) mod remote;
pub(crate) mod revision;
pub(crate) mod shellclone;
