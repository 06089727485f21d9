//! Tells a story once for each call and each watch event of its scenes, at which something goes wrong.

use crate::{
    line::{Fault, Trouble},
    plots::Plot,
    stage::Stage,
    story::{AT_ONCE, Telling, Told, tell},
};
use futures::{StreamExt, stream};

/// Tells `plot` undisturbed, and then with each of `troubles` at each call or event of each scene.
///
/// The same number of a call or event counts in every scene, so one telling puts as many scenes to the test
/// as there are.
pub(crate) async fn sweep(stage: &Stage, plot: &Plot, troubles: &[Trouble]) {
    let nothing = Telling { fault: None, lag: AT_ONCE, undisturbed: None };
    let undisturbed = tell(stage, plot, nothing).await.unwrap_or_else(|error| panic!("{error}"));
    let faults = troubles.iter().flat_map(|trouble| {
        let most = undisturbed.iter().map(|told| of_interest(told, *trouble)).max().unwrap_or_default();
        (1..=most).map(|nth| Fault { nth, trouble: *trouble })
    });
    let tellings: Vec<_> = stream::iter(faults)
        .map(async |fault| {
            let telling = Telling { fault: Some(fault), lag: AT_ONCE, undisturbed: Some(&undisturbed) };
            (fault.trouble, tell(stage, plot, telling).await)
        })
        .buffer_unordered(usize::MAX)
        .collect()
        .await;
    let mut failures = Vec::new();
    let mut struck = vec![0; undisturbed.len()];
    for (_, told) in &tellings {
        match told {
            Ok(told) => {
                for (count, told) in struck.iter_mut().zip(told) {
                    *count += usize::from(told.said.struck.is_some());
                }
            }
            Err(error) => failures.push(error.as_str()),
        }
    }
    println!("{}: {} tellings of {troubles:?}", plot.name, tellings.len());
    for (told, struck) in undisturbed.iter().zip(&struck) {
        let (calls, events) = (told.said.calls.len(), told.said.events);
        println!("  {}: {calls} calls and {events} events; troubled {struck} times", told.scene);
    }
    assert!(failures.is_empty(), "{} of {}: {}", failures.len(), tellings.len(), failures.join("\n"));
    for (told, struck) in undisturbed.iter().zip(struck) {
        // How many calls and events a scene has differs a little from telling to telling.
        let least: u64 = troubles.iter().map(|trouble| of_interest(told, *trouble) / 2).sum();
        assert!(struck as u64 >= least, "{}: troubled only {struck} times", told.scene);
    }
}

/// How many moments a trouble has in a scene.
fn of_interest(told: &Told, trouble: Trouble) -> u64 {
    if trouble.of_events() { told.said.events } else { told.said.calls.len() as u64 }
}
