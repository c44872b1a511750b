//! Reading the configuration again while the server runs.

use live_vlm_config::{BadConfig, LogFilter};
use tokio::signal::unix::Signal;

use crate::{
    config::{Config, Options},
    live::{Live, Reloadable},
};

/// The names of what [`Reloadable`] has; whatever is not among them needs a restart.
const RELOADABLE: [&str; 5] = ["rules", "groups", "users", "limits", "log.level"];

impl From<&Config> for Reloadable {
    fn from(config: &Config) -> Self {
        Self {
            all_rules: config.all_rules.clone(),
            limits: config.limits,
            log: config.log.level.clone(),
        }
    }
}

/// Reads the configuration again.
#[derive(Debug)]
pub struct Reloader {
    options: Options,
    /// What the server began with.
    began: Config,
    /// What was read last.
    last: Config,
    live: Live,
}

/// What reading the configuration again has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reloaded {
    /// The names of what changed.
    pub(crate) changed: Vec<String>,
    /// The names of what would only change with a restart.
    pub(crate) needs_restart: Vec<String>,
}

impl Reloader {
    /// For a server that began with this configuration, which those options gave.
    pub(crate) fn new(options: Options, config: Config, live: Live) -> Self {
        Self { options, began: config.clone(), last: config, live }
    }

    /// Reads it again on every signal and logs what came of it.
    pub async fn run(
        mut self,
        mut hang_up: Signal,
        set_log: impl Fn(&LogFilter) -> Result<(), String>,
    ) {
        while hang_up.recv().await.is_some() {
            tracing::debug!("reading the configuration again");
            match self.reload() {
                Ok(reloaded) => {
                    if let Err(error) = set_log(&self.live.now().log) {
                        tracing::error!(error, "the log's level stays as it was");
                    }
                    tracing::info!(changed = reloaded.changed.join(", "), "configuration reloaded");
                    if !reloaded.needs_restart.is_empty() {
                        let values = reloaded.needs_restart.join(", ");
                        tracing::warn!(values, "changed, but only a restart puts them in force");
                    }
                }
                Err(errors) => {
                    for error in errors.0 {
                        tracing::error!(
                            %error,
                            "configuration not reloaded; the old stays in force"
                        );
                    }
                }
            }
        }
    }

    /// Puts in force what the file says now.
    ///
    /// # Errors
    /// When there is something wrong with it. What was in force stays so.
    pub(crate) fn reload(&mut self) -> Result<Reloaded, BadConfig> {
        let config = Config::load(&self.options)?;
        let mut changed = config.differences(&self.last);
        changed.retain(|name| is_reloadable(name));
        let mut needs_restart = config.differences(&self.began);
        needs_restart.retain(|name| !is_reloadable(name));
        config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        self.live.put_in_force((&config).into());
        self.last = config;
        Ok(Reloaded { changed, needs_restart })
    }
}

fn is_reloadable(name: &str) -> bool {
    RELOADABLE.iter().any(|reloadable| {
        name.strip_prefix(reloadable).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;
    use crate::config::Cli;

    struct Scene {
        folder: tempfile::TempDir,
        reloader: Reloader,
        live: Live,
    }

    impl Scene {
        fn new(text: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("config.toml");
            fs::write(&path, text).unwrap();
            let arguments = ["live-vlm", "--config", path.to_str().unwrap()];
            let options = Cli::try_parse_from(arguments).unwrap().serve;
            let config = Config::load(&options).unwrap();
            let live = Live::new((&config).into());
            Self { folder, reloader: Reloader::new(options, config, live.clone()), live }
        }

        fn reload(&mut self, text: &str) -> Result<Reloaded, BadConfig> {
            fs::write(self.folder.path().join("config.toml"), text).unwrap();
            self.reloader.reload()
        }

        fn sessions(&self) -> u32 {
            self.live.now().all_rules.rules_for("alice", &[]).sessions
        }
    }

    #[test]
    fn limits_change_and_a_port_is_named_as_needing_a_restart() {
        let mut scene = Scene::new("[server]\nport = 1000\n[rules]\nsessions = 4");
        assert_eq!(scene.sessions(), 4);
        let reloaded = scene.reload("[server]\nport = 1001\n[rules]\nsessions = 7").unwrap();
        assert_eq!(reloaded.changed, ["rules.sessions"]);
        assert_eq!(reloaded.needs_restart, ["server.port"]);
        assert_eq!(scene.sessions(), 7);
        // It still needs the restart, and is still told.
        let reloaded = scene.reload("[server]\nport = 1001\n[rules]\nsessions = 7").unwrap();
        assert_eq!((reloaded.changed.len(), reloaded.needs_restart.len()), (0, 1));
    }

    #[test]
    fn with_an_error_the_old_stays_in_force() {
        let mut scene = Scene::new("[rules]\nsessions = 4");
        assert!(scene.reload("[rules]\nsessions = -1").is_err());
        assert_eq!(scene.sessions(), 4);
        scene.reload("[rules]\nsessions = 5\n[users.alice]\nsessions = 6").unwrap();
        assert_eq!(scene.sessions(), 6);
    }

    #[test]
    fn another_key_is_a_change_though_it_is_not_shown() {
        let base = "[vlm]\napi_base = 'http://host/v1'\napi_key = ";
        let mut scene = Scene::new(&format!("{base}'one'"));
        let reloaded = scene.reload(&format!("{base}'two'")).unwrap();
        assert_eq!(reloaded.needs_restart, ["backends"]);
    }
}
