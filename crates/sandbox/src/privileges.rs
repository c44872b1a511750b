//! Who the process is for the kernel.

use rustix::{
    io,
    process::{
        DumpableBehavior, Gid, Uid, geteuid, getppid, parent_process_death_signal,
        set_dumpable_behavior, set_parent_process_death_signal,
    },
    thread::{
        CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs,
        set_thread_groups, set_thread_res_gid, set_thread_res_uid,
    },
};

/// The kernel's own number for somebody who owns nothing.
const NOBODY: u32 = 65_534;

pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// Becomes a user who owns nothing. Files stay open.
pub(crate) fn leave_root() -> Result<(), String> {
    let parent = getppid();
    let become_nobody = || -> io::Result<()> {
        let end_with_parent = parent_process_death_signal()?;
        let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        set_thread_groups(&[])?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        // The kernel forgets it when the user changes.
        set_parent_process_death_signal(end_with_parent)
    };
    become_nobody().map_err(|error| format!("it stays root: {error}"))?;
    if getppid() == parent {
        Ok(())
    } else {
        // The parent ended in between, and no signal will say so.
        std::process::exit(0)
    }
}

/// Hides the memory of this process, and its environment and files, from all others of its user: for
/// a process that has secrets, beside some in the sandbox. It is not dumped when it crashes, and only
/// root can debug it.
///
/// # Errors
/// When the kernel refuses it.
pub fn hide_memory() -> std::io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Gives up every capability, and every way to get some. Nobody of the same user can look into the
/// process any more, with a debugger or by /proc.
pub(crate) fn drop_all() -> Result<(), String> {
    let drop_all = || -> io::Result<()> {
        let none = CapabilitySet::empty();
        let nothing = CapabilitySets { effective: none, permitted: none, inheritable: none };
        // A service manager that has taken them already may forbid the call.
        if capabilities(None)? != nothing {
            set_capabilities(None, nothing)?;
        }
        set_no_new_privs(true)?;
        set_dumpable_behavior(DumpableBehavior::NotDumpable)
    };
    drop_all().map_err(|error| error.to_string())
}
