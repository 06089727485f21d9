//! A run: all sessions of a seed, many at a time, and what became of them.

use crate::disagreement::{Cause, opinions};
use crate::fields;
use crate::generate::Generator;
use crate::oracle::Oracle;
use crate::report::Group;
use crate::shrink::shrink;
use futures::{StreamExt, stream};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// How many sessions are under way at a time; each is half a dozen requests.
const SESSIONS: usize = 16;
/// How often sessions are made for a field that none has set yet.
const ATTEMPTS: usize = 8;

/// Figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    specs: usize,
    by_schema: usize,
    by_children: usize,
    valid: usize,
    disagreements: usize,
    fields: (usize, usize),
}

/// See the module.
pub(crate) struct Run<'a> {
    oracle: &'a Oracle,
    generator: &'a Generator,
    figures: Figures,
    /// Leaves that were set in a session that the schema took.
    set: BTreeSet<String>,
    /// How many sessions there are of each cause, and the smallest.
    found: BTreeMap<Cause, (usize, Value)>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(oracle: &'a Oracle, generator: &'a Generator) -> Self {
        let figures = Figures::default();
        Self { oracle, generator, figures, set: BTreeSet::new(), found: BTreeMap::new() }
    }

    /// Makes so many sessions and asks both about them.
    pub(crate) async fn ask(&mut self, specs: usize) {
        let generator = self.generator;
        self.ask_about((0..specs).map(|number| generator.session(number))).await;
    }

    /// Makes more sessions for the fields that none has set.
    pub(crate) async fn reach_the_rest(&mut self) {
        for _ in 0..ATTEMPTS {
            let (generator, number) = (self.generator, self.figures.specs);
            let never = self.never_set();
            self.ask_about(
                never.iter().enumerate().map(|(index, leaf)| generator.session_with(leaf, number + index)),
            )
            .await;
        }
    }

    /// Leaves that no session has set.
    pub(crate) fn never_set(&self) -> Vec<String> {
        self.generator.leaves.iter().filter(|leaf| !self.set.contains(*leaf)).cloned().collect()
    }

    async fn ask_about(&mut self, sessions: impl Iterator<Item = Value>) {
        let oracle = self.oracle;
        let answers = stream::iter(sessions).map(async |session| (opinions(oracle, &session).await, session));
        let mut answers = std::pin::pin!(answers.buffer_unordered(SESSIONS));
        while let Some((opinions, session)) = answers.next().await {
            self.figures.specs += 1;
            let Some(opinions) = opinions.unwrap() else {
                self.figures.by_schema += 1;
                continue;
            };
            fields::set(&self.generator.schema, &session["spec"], "spec", &mut self.set);
            match opinions.refusals.is_empty() {
                true => self.figures.valid += 1,
                false => self.figures.by_children += 1,
            }
            let causes = opinions.causes();
            self.figures.disagreements += usize::from(!causes.is_empty());
            for cause in causes {
                let (count, smallest) = self.found.entry(cause).or_insert_with(|| (0, session.clone()));
                *count += 1;
                // The order in which answers come is not to matter.
                if key(&session) < key(smallest) {
                    *smallest = session.clone();
                }
            }
        }
    }

    /// The disagreements by cause, the most frequent first. Of each cause the smallest session is made smaller still.
    pub(crate) async fn shrunk(&mut self) -> Vec<Group> {
        let oracle = self.oracle;
        let found = std::mem::take(&mut self.found);
        let groups = stream::iter(found).map(async |(cause, (count, session))| {
            let (session, opinions) = shrink(oracle, session, &cause).await.unwrap();
            Group { cause, count, session, opinions }
        });
        let mut groups: Vec<Group> = groups.buffer_unordered(SESSIONS).collect().await;
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.cause.cmp(&b.cause)));
        groups
    }

    pub(crate) fn figures(&mut self) -> &Figures {
        let of = self.generator.leaves.len();
        self.figures.fields = (of - self.never_set().len(), of);
        &self.figures
    }
}

fn key(session: &Value) -> (usize, String) {
    let text = session.to_string();
    (text.len(), text)
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { specs, by_schema, by_children, valid, disagreements, fields: (set, of) } = self;
        write!(
            f,
            "{specs} specs: {valid} valid, {by_schema} refused by the schema, {by_children} refused by children; \
             {disagreements} disagreements; {set} of {of} fields set"
        )
    }
}
