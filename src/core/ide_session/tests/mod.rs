//! Tests of the decisions.
//!
//! [`fixtures`] sets up what is known of one session and looks at one decision; [`peer`] is an operator with an IDE
//! behind it as far as the core can tell. Everything else tests one subject each.

mod fixtures;
mod peer;

mod conditions;
mod deletion;
mod ends;
mod model;
mod moments;
mod restarts;
mod starts;
mod stops;
