//! `make bench`: prints one table, each figure beside its limit measured in the same run.
//!
//! Build it in release mode, with the operator's binary beside it. By default it only prints; with `--check` a
//! missed bound is a failure.

mod admission;
mod alone;
mod check;
mod create;
mod crowd;
mod fixture;
mod hibernated;
mod ides;
mod input;
mod instructions;
mod largest;
mod load;
mod memory;
mod operator;
mod process;
mod proxy;
mod requests;
mod scale;
mod script;
mod sessions;
mod steps;
mod table;
mod together;
mod webhooks;

use anyhow::bail;
use clap::{Parser, ValueEnum};
use std::process::ExitCode;
use table::Table;

/// The benchmarks of Sojourn.
#[derive(Parser)]
struct Arguments {
    /// Parts to run, separated by commas.
    #[arg(long, value_delimiter = ',', value_enum, default_value = "a,b,c,d,e,f,g,h,i,j,k")]
    only: Vec<Part>,
    /// Fail when a bound is missed.
    #[arg(long)]
    check: bool,
    /// How many sessions part c runs, and how many bare StatefulSets.
    #[arg(long, default_value_t = 500)]
    sessions: usize,
    /// How many seconds parts c and j watch the sessions idle.
    #[arg(long, default_value_t = 60)]
    idle: u64,
    /// Count the instructions per admission and keep them, instead of measuring.
    #[arg(long)]
    keep_instructions: bool,
    /// What part e counts in a program of its own: asks this so many times.
    #[arg(long, hide = true)]
    ask: Option<String>,
    #[arg(long, hide = true, default_value_t = 1)]
    times: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The admission handler against an empty one.
    A,
    /// Creation through the API server, with and without webhooks.
    B,
    /// Sessions until Running, against bare StatefulSets.
    C,
    /// The pure steps.
    D,
    /// Instructions per admission.
    E,
    /// `sojourn check`.
    F,
    /// Memory with webhooks only.
    G,
    /// The proxy of a session, against nginx.
    H,
    /// IdeSessions in one IDE, and an IDE that talks without end.
    I,
    /// Sessions until Running and idle, few and many.
    J,
    /// Sessions created all at once, many hibernated ones, and one alone: what they cost the cluster.
    #[value(alias = "cost")]
    K,
    /// Ten thousand sessions at once. Takes a quarter of an hour, so only when it is asked for.
    #[value(alias = "scale")]
    L,
    /// Sessions of the largest size that is admitted. Takes some minutes, so only when it is asked for.
    #[value(alias = "largest")]
    M,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if cfg!(debug_assertions) {
        bail!("figures of a debug build mean nothing; use `make bench`");
    }
    if let Some(name) = &arguments.ask {
        instructions::ask(name, arguments.times).await?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.keep_instructions {
        instructions::keep()?;
        return Ok(ExitCode::SUCCESS);
    }
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut table = Table::default();
    let measured = measure(&arguments, &mut table).await;
    // Also when a part fails: the others took half an hour.
    print!("{table}");
    measured?;
    Ok(if arguments.check && table.missed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Runs the parts that were asked for.
async fn measure(arguments: &Arguments, table: &mut Table) -> anyhow::Result<()> {
    for part in [
        Part::D,
        Part::E,
        Part::F,
        Part::H,
        Part::A,
        Part::B,
        Part::G,
        Part::I,
        Part::C,
        Part::J,
        Part::K,
        Part::L,
        Part::M,
    ] {
        if !arguments.only.contains(&part) {
            continue;
        }
        match part {
            Part::A => admission::run(table).await?,
            Part::B => create::run(table).await?,
            Part::C => sessions::run(table, arguments.sessions, arguments.idle).await?,
            Part::D => steps::run(table)?,
            Part::E => instructions::run(table)?,
            Part::F => check::run(table)?,
            Part::G => memory::run(table).await?,
            Part::H => proxy::run(table).await?,
            Part::I => ides::run(table).await?,
            Part::J => scale::run(table, arguments.idle).await?,
            Part::K => crowd::run(table).await?,
            Part::L => crowd::many(table).await?,
            Part::M => largest::run(table).await?,
        }
    }
    Ok(())
}
