//! The kernel's filters, from the tables.
//!
//! A filter has one answer for what is in it and one for the rest, so there are three. The kernel
//! asks all of them, and the hardest answer counts.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use super::{
    allowed, refused,
    rule::{Argument, Call, Group, Value},
};

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// The filters, in the order in which they are to be installed: the last forbids to install more.
pub(super) fn compile(devices: bool, own: u32) -> Result<[BpfProgram; 3], BackendError> {
    let mut allow = rules(allowed::ALWAYS, own)?;
    // A call in a table twice would have either's arguments.
    for (number, rules) in rules(if devices { allowed::DEVICES } else { allowed::NO_DEVICES }, own)?
    {
        allow.insert(number, rules);
    }
    let newer: Rules = refused::NEWER
        .filter(|number| !allow.contains_key(number))
        .map(|number| (number, Vec::new()))
        .collect();
    allow.extend(newer.clone());
    let kill = rules(refused::BREACHES, own)?;
    Ok([
        filter(kill, SeccompAction::KillProcess, SeccompAction::Allow)?,
        filter(newer, error(libc::ENOSYS), SeccompAction::Allow)?,
        filter(allow, SeccompAction::Allow, error(libc::EPERM))?,
    ])
}

fn error(number: i32) -> SeccompAction {
    SeccompAction::Errno(number.unsigned_abs())
}

fn filter(
    rules: Rules,
    these: SeccompAction,
    others: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let machine = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, others, these, machine)?.try_into()
}

fn rules(groups: &[Group], own: u32) -> Result<Rules, BackendError> {
    let mut rules = Rules::new();
    for call in groups.iter().flat_map(|group| group.calls) {
        rules.insert(call.number, arguments(call, own)?);
    }
    Ok(rules)
}

fn arguments(call: &Call, own: u32) -> Result<Vec<SeccompRule>, BackendError> {
    let all = |list: &&[Argument]| {
        SeccompRule::new(list.iter().map(|one| condition(*one, own)).collect::<Result<_, _>>()?)
    };
    call.when.iter().map(all).collect()
}

fn condition(argument: Argument, own: u32) -> Result<SeccompCondition, BackendError> {
    let Argument { index, bits, value } = argument;
    let value = match value {
        Value::Is(value) => value,
        Value::OwnProcess => own.into(),
    };
    // The kernel ignores the upper half of an `int`, and so does the filter.
    let length =
        if bits > u32::MAX.into() { SeccompCmpArgLen::Qword } else { SeccompCmpArgLen::Dword };
    SeccompCondition::new(index, length, SeccompCmpOp::MaskedEq(bits), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_can_be_compiled() {
        for devices in [false, true] {
            let [kill, newer, allow] = compile(devices, 1).unwrap();
            assert!(kill.len() > 50 && newer.len() > 50 && allow.len() > 200);
        }
    }

    #[test]
    fn no_call_is_allowed_in_two_places() {
        for more in [allowed::NO_DEVICES, allowed::DEVICES] {
            let mut seen = BTreeMap::new();
            for group in allowed::ALWAYS.iter().chain(more) {
                assert!(!group.why.is_empty());
                for call in group.calls {
                    let before = seen.insert(call.number, group.why);
                    assert_eq!(before, None, "{} is there again: {}", call.number, group.why);
                }
            }
        }
    }

    #[test]
    fn no_breach_is_allowed() {
        let tables = [allowed::ALWAYS, allowed::NO_DEVICES, allowed::DEVICES];
        let allowed: Vec<_> = tables.into_iter().flatten().flat_map(|group| group.calls).collect();
        for breach in refused::BREACHES.iter().flat_map(|group| group.calls) {
            // What is a breach with some arguments may be allowed with others.
            let is_allowed = allowed.iter().any(|call| call.number == breach.number);
            assert!(!breach.when.is_empty() || !is_allowed, "{}", breach.name);
        }
    }

    /// As the table of docs/security.md has them; a star stands for "with some arguments".
    #[cfg(target_arch = "x86_64")]
    fn shown(groups: &[Group]) -> Vec<String> {
        let name = |call: &Call| {
            let star = if call.when.is_empty() { "" } else { "\\*" };
            format!("`{}`{star}", call.name.trim_start_matches("SYS_"))
        };
        groups
            .iter()
            .map(|group| {
                let names: Vec<_> = group.calls.iter().map(name).collect();
                format!("| {} | {} |", group.why, names.join(", "))
            })
            .collect()
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_document_has_every_group() {
        let document = include_str!("../../../../docs/security.md");
        let tables = [allowed::ALWAYS, allowed::NO_DEVICES, refused::BREACHES];
        let missing: Vec<_> = tables
            .into_iter()
            .flat_map(shown)
            .filter(|line| !document.lines().any(|documented| documented == line))
            .collect();
        assert!(missing.is_empty(), "docs/security.md has to have:\n{}", missing.join("\n"));
    }
}
