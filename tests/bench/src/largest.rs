//! Part m: the worst case that admission lets through: sessions whose specs are as long as they may be, and that cannot
//! be packed.

use crate::{
    crowd::many_nodes,
    fixture,
    operator::Operator,
    sessions::is_running,
    table::{Bound, Row, Table},
    together::Together,
};
use kube::core::ApiResource;
use rand::{
    SeedableRng,
    distr::{Alphanumeric, SampleString},
    rngs::StdRng,
};
use serde_json::{Value, json};
use sojourn_cluster::test_namespace;
use sojourn_crds::amalthea::AmaltheaSession;
use sojourn_webhooks::table::LONGEST_SPEC;

const SESSIONS: usize = 2000;
/// The budget of one namespace does not hold them all.
const NAMESPACES: usize = 4;
/// MiB: the limit of the chart's Deployment.
const MEMORY: f64 = 256.0;

/// Measures the memory with all of them running, and after a cold start.
pub(crate) async fn run(table: &mut Table) -> anyhow::Result<()> {
    let mut add = |figure: &str, value, bound| {
        let figure = format!("{SESSIONS} sessions of {} KiB: {figure}", LONGEST_SPEC >> 10);
        table.add(Row { part: 'm', figure, unit: "MiB", value, limit: None, bound });
    };
    let cluster = many_nodes().await?;
    let client = cluster.client().await?;
    let mut operator = Operator::start(&cluster).await?;
    let resource = ApiResource::erase::<AmaltheaSession>(&());
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..NAMESPACES {
        let namespace = test_namespace(&client, "largest").await?;
        let all: Vec<Value> =
            (0..SESSIONS / NAMESPACES).map(|index| session(&format!("s{index}"), &mut random)).collect();
        Together::new(&client, &resource, &namespace, is_running).paced(all).await?;
    }
    operator.until_quiet().await?;
    let grown = operator.usage()?;
    add("memory, running", grown.resident, Bound::Below(MEMORY));
    add("the same, peak", grown.peak, Bound::Below(MEMORY));
    operator.restart().await?;
    operator.until_quiet().await?;
    let cold = operator.usage()?;
    add("memory after a cold start", cold.resident, Bound::Below(MEMORY));
    add("the same, peak", cold.peak, Bound::Below(MEMORY));
    drop(operator);
    cluster.stop().await;
    Ok(())
}

/// A session whose spec is almost as long as it may be: the defaults of the schema need some room.
fn session(name: &str, random: &mut StdRng) -> Value {
    const ROOM: usize = 512;
    const VALUE: usize = 1000;
    let mut session = fixture::small_session(name);
    // Values that cannot be packed.
    let mut env = Vec::new();
    let mut length = session["spec"].to_string().len();
    while length < LONGEST_SPEC - ROOM {
        let value = Alphanumeric.sample_string(random, VALUE.min(LONGEST_SPEC - ROOM - length));
        let variable = json!({"name": format!("SETTING_{}", env.len()), "value": value});
        length += variable.to_string().len() + 1;
        env.push(variable);
    }
    session["spec"]["session"]["env"] = env.into();
    session
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spec_is_almost_as_long_as_it_may_be() {
        let session = session("s", &mut StdRng::seed_from_u64(1));
        let length = session["spec"].to_string().len();
        assert!(((LONGEST_SPEC * 9 / 10)..LONGEST_SPEC).contains(&length), "{length}");
    }
}
