//! Which files there are: Landlock.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

/// What every process may read.
const ALWAYS: [&str; 2] = [
    // GLib seeds its random numbers here, and ICE passwords are made of these. Without it, GLib
    // takes the time of day.
    "/dev/urandom",
    // How many CPUs there are, by which libraries decide how many threads they start.
    "/sys/devices/system/cpu/online",
];
/// What drivers read: their libraries, and what the kernel says of devices.
const WITH_DEVICES: [&str; 14] = [
    "/etc/glvnd",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/opt/nvidia",
    "/proc/devices",
    "/proc/driver",
    "/proc/self",
    "/sys/bus",
    "/sys/class",
    "/sys/dev",
    "/sys/devices",
    "/usr/lib",
    "/usr/local/lib",
];
/// The newest whose rights are named here. An older kernel enforces those that it knows.
const NEWEST: ABI = ABI::V6;

/// Leaves only these files, and no TCP, no foreign abstract sockets and no signals to others.
pub(crate) fn restrict(devices: &[PathBuf], read: &[PathBuf]) -> Result<(), String> {
    let status = enforce(devices, read).map_err(|error| error.to_string())?;
    match status {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => {
            Err("the kernel has none; it came with Linux 5.13 and may have been left out".into())
        }
    }
}

fn enforce(devices: &[PathBuf], read: &[PathBuf]) -> Result<RulesetStatus, RulesetError> {
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let using = reading | AccessFs::WriteFile | AccessFs::IoctlDev;
    let drivers: &[&str] = if devices.is_empty() { &[] } else { &WITH_DEVICES };
    let always = ALWAYS.iter().chain(drivers).map(Path::new);
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(always.chain(read.iter().map(PathBuf::as_path)), reading))?
        .add_rules(path_beneath_rules(devices, using))?
        .restrict_self()?;
    Ok(status.ruleset)
}
