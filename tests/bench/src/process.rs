//! What a process uses, from /proc.

use anyhow::Context as _;
use std::fs;

/// What a process uses.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    /// CPU seconds since its start.
    pub(crate) cpu: f64,
    /// Resident memory in MiB.
    pub(crate) resident: f64,
    /// The most resident memory so far, in MiB.
    pub(crate) peak: f64,
}

/// What the process of that id has used so far.
pub(crate) fn usage(id: u32) -> anyhow::Result<Usage> {
    let of = |file: &str| {
        let path = format!("/proc/{id}/{file}");
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}: has the process ended?"))
    };
    let stat = of("stat")?;
    // The second field is a name in parentheses, which may hold spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    let cpu = ticks(11).zip(ticks(12)).context("/proc tells no CPU time")?;
    let status = of("status")?;
    let memory = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        kib.map(|kib| kib / 1024.0).with_context(|| format!("/proc tells no {key}"))
    };
    Ok(Usage {
        cpu: (cpu.0 + cpu.1) / rustix::param::clock_ticks_per_second() as f64,
        resident: memory("VmRSS")?,
        peak: memory("VmHWM")?,
    })
}
