//! From what was said to what is in force: flags and environment over file over defaults.

use live_vlm_access::rules::AllRules;
use live_vlm_backends as vlm;
use live_vlm_config::{BadConfig, Problems, Source};

use super::{Config, FileConfig, Options};

pub(super) fn resolve(
    flags: &Options,
    file: FileConfig,
    source: Option<&Source>,
) -> Result<Config, BadConfig> {
    let mut problems = Problems::new(source);
    let backends = vlm::pool(&flags.vlm, &file.vlm, &file.backends, &mut problems);
    let server = flags.server.over(&file.server, &mut problems);
    let video = flags.video.over(&file.video, &mut problems);
    check_groups(&file, &mut problems);
    if file.sign_in.jwt_keys.is_some() && file.sign_in.jwt_jwks_url.is_some() {
        problems.in_table("sign_in", "jwt_jwks_url", "give either this or jwt_keys");
    }
    problems.into_result()?;
    Ok(Config {
        file: source.map(|source| source.path().to_owned()),
        warnings: source.map(|source| file.warnings(source)).unwrap_or_default(),
        server,
        vlm: flags.vlm.over(&file.vlm),
        backends,
        video,
        media: flags.media.over(&file.media),
        limits: flags.limits.over(&file.limits),
        all_rules: AllRules::new(&flags.rules.or(file.rules), file.groups, file.users),
        sign_in: flags.sign_in.over(&file.sign_in),
        observe: live_vlm_observe::Config {
            metrics: flags.observe.metrics.clone().or(file.metrics),
            traces: flags.observe.traces.clone().or(file.traces),
            usage: flags.observe.usage.clone().or(file.usage),
            overload: flags.observe.overload.or(&file.overload),
        },
        log: flags.log.over(&file.log),
    })
}

/// Only users have groups, and only those that there are.
fn check_groups(file: &FileConfig, problems: &mut Problems<'_>) {
    const USERS_ONLY: &str = "only [users.NAME] has groups";
    if file.rules.groups.is_some() {
        problems.at(&["rules".into(), "groups".into()], USERS_ONLY);
    }
    for (name, _) in file.groups.iter().filter(|(_, table)| table.groups.is_some()) {
        problems.at(&["groups".into(), name.as_str().into(), "groups".into()], USERS_ONLY);
    }
    for (user, table) in &file.users {
        for (index, group) in table.groups.iter().flatten().enumerate() {
            if !file.groups.contains_key(group) {
                let steps = ["users".into(), user.as_str().into(), "groups".into(), index.into()];
                let there: Vec<&str> = file.groups.keys().map(String::as_str).collect();
                let message = match there[..] {
                    [] => format!("there is no group {group:?}, as there is no [groups.NAME]"),
                    _ => format!("there is no group {group:?}, only {}", there.join(", ")),
                };
                problems.at(&steps, &message);
            }
        }
    }
}
