//! What a running server takes.

use std::fs;

use super::asking::Result;

/// The CPU time of all threads of a process that run, in seconds.
pub fn cpu_seconds(process: u32) -> Result<f64> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let schedule = fs::read_to_string(task?.path().join("schedstat"))?;
        nanoseconds += schedule.split(' ').next().ok_or("no time")?.parse::<u64>()?;
    }
    Ok(nanoseconds as f64 / 1e9)
}

/// The same with that of threads that have ended, in hundredths.
pub fn cpu_seconds_of_all(process: u32) -> Result<f64> {
    let written = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, which may hold anything, is in parentheses.
    let (_, behind) = written.rsplit_once(") ").ok_or("no name")?;
    let ticks: u64 =
        behind.split(" ").skip(11).take(2).map(str::parse::<u64>).sum::<std::result::Result<_, _>>()?;
    Ok(ticks as f64 / 100.0)
}

/// The memory a process has in use, in MB.
pub fn resident(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no size")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1e3)
}
