//! Tells a story once for each call and each watch event of its scenes, at which something goes wrong.

use crate::{
    line::{Fault, Trouble},
    plots::Plot,
    stage::Stage,
    story::{AT_ONCE, Telling, tell, undisturbed},
};
use futures::{StreamExt, stream};

/// Names how many moments there are for one at which something goes wrong; 1 is all of them.
const STRIDE: &str = "SOJOURN_SURVIVAL_STRIDE";

/// Tells `plot` undisturbed, and then with each of `troubles` at every `stride`-th call or event of each scene,
/// each trouble at others.
///
/// The same number of a call or event counts in every scene, so one telling puts as many scenes to the test
/// as there are.
pub(crate) async fn sweep(stage: &Stage<'_>, plot: &Plot, troubles: &[Trouble], stride: u64) {
    let chosen = std::env::var(STRIDE).ok();
    let stride = chosen.map_or(stride, |chosen| chosen.parse().expect("a stride is a number"));
    let undisturbed = undisturbed(plot).await;
    let undisturbed = undisturbed.as_slice();
    let faults = troubles.iter().zip(0..).flat_map(|(trouble, offset)| {
        let most = undisturbed.iter().map(|told| told.said.count(*trouble)).max().unwrap_or_default();
        let chosen = (1..=most).filter(move |nth| (nth + offset) % stride == 0);
        chosen.map(|nth| Fault { nth, trouble: *trouble })
    });
    let faults: Vec<Fault> = faults.collect();
    let tellings: Vec<_> = stream::iter(&faults)
        .map(|fault| {
            let telling = Telling { fault: Some(*fault), lag: AT_ONCE, undisturbed: Some(undisturbed) };
            tell(stage, plot, telling)
        })
        .buffer_unordered(usize::MAX)
        .collect()
        .await;
    let mut failures = Vec::new();
    let mut struck = vec![0; undisturbed.len()];
    for told in &tellings {
        match told {
            Ok(told) => {
                for (count, told) in struck.iter_mut().zip(told) {
                    *count += usize::from(told.said.struck.is_some());
                }
            }
            Err(error) => failures.push(error.as_str()),
        }
    }
    println!("{}: {} tellings, stride {stride}, {troubles:?}", plot.name, tellings.len());
    for (told, struck) in undisturbed.iter().zip(&struck) {
        let (calls, events) = (told.said.calls.len(), told.said.events);
        println!("  {}: {calls} calls and {events} events; troubled {struck} times", told.scene);
    }
    assert!(failures.is_empty(), "{} of {}: {}", failures.len(), tellings.len(), failures.join("\n"));
    for (told, struck) in undisturbed.iter().zip(struck) {
        let planned = faults.iter().filter(|fault| fault.nth <= told.said.count(fault.trouble)).count();
        // How many calls and events a scene has differs a little from telling to telling.
        assert!(struck >= planned / 2, "{}: troubled only {struck} of {planned} times", told.scene);
    }
}
