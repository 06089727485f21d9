//! Chance pulls all the levers: users edit and delete, the IDE answers well, badly or not at all, connections come and
//! go, the operator is killed between two effects. What must always hold is checked by [`super::peer`] at each effect,
//! and here after each step.

use super::{fixtures::*, peer::Peer};
use crate::core::ide_session::StartFacts;
use k8s_openapi::jiff::SignedDuration;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use rstest::rstest;
use sojourn_crds::ide_session::{DesiredState, IdeSession, State};

const STEPS: usize = 40;

struct Model {
    peer: Peer,
    chance: StdRng,
    steps: Vec<String>,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        let desired = *["", "Running", "Running", "Stopped"].choose(&mut chance).unwrap();
        Self { peer: Peer::new(desired), chance, steps: vec![format!("desired {desired}")] }
    }

    fn step(&mut self) {
        self.peer.now += SignedDuration::from_millis(1);
        let note = match self.chance.random_range(0..20) {
            0..=2 => {
                self.peer.send();
                "send".to_owned()
            }
            3..=6 => self.answer(),
            7 => {
                let code = *[None, Some(0), Some(7)].choose(&mut self.chance).unwrap();
                self.peer.ends(code);
                format!("ends with {code:?}")
            }
            8..=10 => {
                let (well, told) = (self.chance.random_bool(0.5), self.chance.random_bool(0.5));
                self.peer.stopped(well, told);
                format!("stop: {well}, told: {told}")
            }
            11 | 12 => self.edit(),
            13 => {
                self.peer.endpoint =
                    [known(true), known(false), missing()].choose(&mut self.chance).unwrap().clone();
                format!("endpoint {:?}", self.peer.endpoint)
            }
            14 => self.hear(),
            15 | 16 => {
                let effects = self.chance.random_range(0..4);
                self.peer.effects_left = Some(effects);
                for _ in 0..4 {
                    self.peer.pass();
                }
                self.peer.kill();
                format!("killed after {effects} effects")
            }
            17 | 18 => {
                self.peer.now += SignedDuration::from_secs(self.chance.random_range(1..20));
                "time passes".to_owned()
            }
            _ => {
                if self.chance.random_bool(0.3) {
                    self.peer.delete();
                }
                format!("there: {}", self.peer.session.is_some())
            }
        };
        self.steps.push(note);
    }

    fn answer(&mut self) -> String {
        let at = self.peer.now;
        let session_id = ID.to_owned();
        let process = self.chance.random_bool(0.5);
        let exit_code = *[None, Some(0), Some(7)].choose(&mut self.chance).unwrap();
        let answers = [
            StartFacts::Accepted { session_id: session_id.clone(), at },
            StartFacts::Accepted { session_id: session_id.clone(), at },
            StartFacts::Over { session_id, process, exit_code, at },
            StartFacts::Failed { message: "no".into(), called: true, at },
        ];
        let answer = answers.choose(&mut self.chance).unwrap().clone();
        self.peer.answer(answer.clone());
        format!("answer {answer:?}")
    }

    /// An edit that admission lets through.
    fn edit(&mut self) -> String {
        let wish = *DesiredState::ALL.choose(&mut self.chance).unwrap();
        let allowed = |session: &&mut IdeSession| session.spec.desired().unwrap_or_default().may_become(wish);
        if let Some(session) = self.peer.session.as_mut().filter(allowed) {
            session.spec.desired_state = wish.as_str().to_owned();
        }
        format!("edit {wish:?}")
    }

    fn hear(&mut self) -> String {
        let pid = self.chance.random_range(1..9);
        if let Some(run) = self.peer.run.as_mut().filter(|run| run.start == StartFacts::Owned) {
            run.pid = Some(pid);
            run.message = Some(format!("E{pid}"));
        }
        format!("pid {pid}")
    }

    fn check(&self) {
        assert!(self.peer.starts <= 1, "the IDE was asked {} times for one object", self.peer.starts);
        let Some(status) = self.peer.session.as_ref().and_then(|session| session.status.as_ref()) else {
            return;
        };
        let ended = status.state.is_terminal();
        assert_eq!(status.finish_timestamp.is_some(), ended, "{status:?}");
        assert!(status.pid.is_none() || !ended, "{status:?}");
        assert_eq!(status.start_attempt_time.is_some(), status.state != State::Initial);
        assert!(status.message.is_some() || status.state != State::Failed);
        assert!(self.peer.run.is_none() || !ended, "remembered after its end: {:?}", self.peer.run);
    }

    /// From wherever it is: once all goes well, a deleted session goes.
    fn farewell(&mut self) {
        self.peer.delete();
        for _ in 0..20 {
            self.peer.settle();
            self.peer.now += SignedDuration::from_secs(20);
            self.peer.send();
            self.peer.answer(StartFacts::Accepted { session_id: ID.into(), at: self.peer.now });
            self.peer.stopped(true, true);
        }
        assert!(self.peer.session.is_none(), "stays: {:?}", self.peer.session);
    }
}

/// 2,000 sessions of 40 steps: 80,000 steps.
#[rstest]
fn whatever_happens(#[values(0, 1, 2, 3)] part: u64) {
    for seed in part * 500..(part + 1) * 500 {
        let mut model = Model::new(seed);
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..STEPS {
                model.step();
                // Sometimes more happens before the operator gets to look.
                if model.chance.random_bool(0.7) {
                    model.peer.settle();
                    model.check();
                }
            }
            model.farewell();
        }));
        if let Err(panic) = run {
            eprintln!("seed {seed}, steps {:#?}", model.steps);
            eprintln!("session {:?}, run {:?}", model.peer.session, model.peer.run);
            std::panic::resume_unwind(panic);
        }
    }
}

/// Most of the levers lead somewhere: what was tried above is not all the same.
#[test]
fn all_states_are_reached() {
    let mut reached = std::collections::HashSet::new();
    for seed in 0..200 {
        let mut model = Model::new(seed);
        for _ in 0..STEPS {
            model.step();
            model.peer.settle();
            reached.insert(model.peer.state());
        }
    }
    assert_eq!(reached.len(), State::ALL.len(), "{reached:?}");
}
