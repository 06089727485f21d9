//! Part i: many IdeSessions in one IDE, and one session that talks without end beside one that says something now and
//! then.

use crate::{
    operator::{self, Operator},
    requests::Requests,
    table::{Bound, Row, Table},
    together::Together,
};
use anyhow::Context as _;
use jiff::Timestamp;
use kube::{
    Api, Client,
    core::{ApiResource, DynamicObject},
};
use serde_json::{Value, json};
use sojourn_cluster::{Cluster, Options, eventually};
use sojourn_crds::ide_session::IdeSession;
use sojourn_fake_ide::FakeIde;
use std::{
    fs,
    time::{Duration, Instant},
};

const SESSIONS: usize = 1000;
/// Lines a second that the loud session writes, and for how long.
const LOUD: usize = 10_000;
const FLOOD: Duration = Duration::from_secs(10);
/// The flood comes in so many drops a second, after each of which the quiet session may speak.
const DROPS: usize = 100;
/// After this the last status writes and Events are through.
const SETTLE: Duration = Duration::from_secs(5);

/// Measures both with one operator.
pub(crate) async fn run(table: &mut Table) -> anyhow::Result<()> {
    let options = Options { audit_users: vec![operator::USER.into()], ..Options::default() };
    let cluster = Cluster::start(options).await?;
    let client = cluster.client().await?;
    let ide = FakeIde::start(sojourn_fake_ide::Options::default()).await?;
    let files = tempfile::tempdir()?;
    let mut variables = ide.variables();
    variables.push(("DCP_SESSION_FOLDER", files.path().display().to_string()));
    let operator = Operator::start_with(&cluster, &["--ide-sessions-per-endpoint=5000"], &variables).await?;
    many(table, &cluster, &client, &operator, &ide).await?;
    loud(table, &client, &operator, &ide).await?;
    drop(operator);
    cluster.stop().await;
    Ok(())
}

fn session(name: &str) -> Value {
    let launch = json!([{"type": "project", "project_path": format!("/src/{name}.csproj")}]).to_string();
    json!({
        "apiVersion": "usvc-dev.developer.microsoft.com/v1", "kind": "IdeSession", "metadata": {"name": name},
        "spec": {"launchConfigurations": launch, "desiredState": "Running"},
    })
}

fn is_running(session: &DynamicObject) -> bool {
    session.data["status"]["state"] == "Running"
}

async fn many(
    table: &mut Table,
    cluster: &Cluster,
    client: &Client,
    operator: &Operator,
    ide: &FakeIde,
) -> anyhow::Result<()> {
    let resource = ApiResource::erase::<IdeSession>(&());
    let audit = cluster.audit()?;
    let (before, start) = (operator.usage()?, audit.cursor()?);
    let sessions = (0..SESSIONS).map(|number| session(&format!("s{number}"))).collect();
    let arrived = Together::new(client, &resource, "", is_running).paced(sessions).await?;
    tokio::time::sleep(SETTLE).await;
    let after = operator.usage()?;
    let (entries, _) = audit.since(start)?;
    let requests = Requests::count(&entries);
    println!("requests until {SESSIONS} IdeSessions ran: {requests}");
    let each = |count: usize| count as f64 / SESSIONS as f64;
    let mut add = |figure: String, unit, value, bound| {
        table.add(Row { part: 'i', figure, unit, value, limit: None, bound });
    };
    add(format!("{SESSIONS} IdeSessions until Running"), "/s", arrived.rate, Bound::None);
    add("one IdeSession until Running, median".into(), "s", arrived.median, Bound::None);
    add(
        "requests to the IDE per IdeSession".into(),
        "",
        each(ide.asked_for("PUT", "/").len()),
        Bound::AtMost(1.0),
    );
    add("API requests per IdeSession".into(), "", each(requests.total()), Bound::None);
    add("CPU until all are Running".into(), "s", after.cpu - before.cpu, Bound::None);
    add("memory on top".into(), "MiB", after.resident - before.resident, Bound::Below(32.0));
    add("memory on top, peak".into(), "MiB", after.peak - before.resident, Bound::None);
    Ok(())
}

async fn loud(table: &mut Table, client: &Client, operator: &Operator, ide: &FakeIde) -> anyhow::Result<()> {
    let api: Api<IdeSession> = Api::all(client.clone());
    let of = async |name: &str| {
        let status = api.get(name).await?.status.context("a session without a status")?;
        let id = status.session_id.context("a session without an ID")?;
        anyhow::Ok((id, status.std_out_file.context("a session without a file")?))
    };
    let ((loud, loud_file), (quiet, file)) = (of("s0").await?, of("s1").await?);
    let before = operator.usage()?;
    let (began, mut told) = (Instant::now(), 0_usize);
    let drops = DROPS * usize::try_from(FLOOD.as_secs())?;
    let line = format!(
        r#"{{"notification_type":"serviceLogs","session_id":"{loud}","is_std_err":false,"log_message":"{}"}}"#,
        "x".repeat(80)
    );
    for drop in 0..drops {
        let due = began + Duration::from_secs(1) * u32::try_from(drop)? / u32::try_from(DROPS)?;
        tokio::time::sleep_until(due.into()).await;
        for _ in 0..LOUD / DROPS {
            // Not held against the schema one by one: the flood is to be as fast as it says.
            ide.send(line.as_str());
        }
        if drop.is_multiple_of(5) {
            ide.log(&quiet, &format!("sent {}", Timestamp::now().as_microsecond()));
            told += 1;
        }
    }
    let took = began.elapsed();
    let heard = || fs::read_to_string(&file).unwrap_or_default();
    eventually("the quiet session's lines are kept", async || heard().lines().count() >= told).await?;
    let mut delays = heard().lines().map(delay).collect::<anyhow::Result<Vec<f64>>>()?;
    delays.sort_unstable_by(f64::total_cmp);
    let after = operator.usage()?;
    let rate = (LOUD / DROPS * drops) as f64 / took.as_secs_f64();
    let kept = fs::metadata(&loud_file)?.len() as f64 / (1 << 20) as f64;
    println!("the loud session's file has {kept:.1} MiB");
    let mut add = |figure: &str, unit, value, bound| {
        table.add(Row { part: 'i', figure: figure.to_owned(), unit, value, limit: None, bound });
    };
    add("notifications of one IdeSession", "/s", rate, Bound::None);
    add("meanwhile another one's are late by, median", "ms", delays[delays.len() / 2], Bound::None);
    add("meanwhile another one's are late by, at most", "ms", delays[delays.len() - 1], Bound::Below(100.0));
    add("memory on top of that before", "MiB", after.resident - before.resident, Bound::Below(32.0));
    add("CPU of the operator meanwhile", "s", after.cpu - before.cpu, Bound::None);
    Ok(())
}

/// By how many milliseconds the moment before a captured line is later than that in it.
fn delay(line: &str) -> anyhow::Result<f64> {
    let (prefix, sent) = line.split_once(" sent ").with_context(|| format!("{line:?} is not of ours"))?;
    let heard: Timestamp = prefix.rsplit(' ').next().unwrap_or_default().parse()?;
    Ok((heard.as_microsecond() - sent.parse::<i64>()?) as f64 / 1000.0)
}
