//! Which system calls there are: seccomp.

mod allowed;
mod filters;
mod refused;
mod rule;

/// Leaves only the calls of [`allowed`]. With `devices`, those that drivers need besides.
pub(crate) fn restrict(devices: bool) -> Result<(), String> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let filters = filters::compile(devices, own.unsigned_abs()).map_err(|e| e.to_string())?;
    for filter in &filters {
        seccompiler::apply_filter(filter).map_err(|error| error.to_string())?;
    }
    Ok(())
}
