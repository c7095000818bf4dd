//! The certificate of `acme_domains`: there from the start, renewed while the program runs, and its authority answered.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use acme::{Acmed, Settings, Storage};
use conf::{Mistake, Service, View};
use net::Accepted;
use tables::Tables;
use tokio::task::JoinHandle;

use super::kinds::Lent;
use super::listening::{Session, Sessions};
use super::parent;
use crate::config::Config;

/// How often is looked whether a certificate is due.
const LOOK: Duration = Duration::from_secs(3600);

/// Pause after the first failure; it doubles with each.
const AGAIN: Duration = Duration::from_secs(60);

/// The longest one. Authorities count failures by the hour.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// How long a hook may take: it may wait until name servers have what it wrote.
const HOOK: Duration = Duration::from_secs(600);

/// Sees to it that a certificate is there before anybody reads it.
///
/// # Errors
/// The file and why.
pub fn prepare(view: &View) -> Result<(), String> {
    let Some(settings) = Settings::read(view, &mut Vec::new()) else { return Ok(()) };
    let owner = match nix::unistd::geteuid().is_root() {
        // Those who read mail show it, too.
        true => Some((parent::owner(view)?.uid, parent::front_user(view)?.gid)),
        false => None,
    };
    Storage::new(&settings.folder).prepare(&settings.domains, owner).map_err(|trouble| trouble.to_string())
}

/// Asks for a certificate, if one is due or in any case.
///
/// # Errors
/// What failed, as a sentence.
pub async fn renew(settings: &Settings, anyway: bool) -> Result<bool, String> {
    let (program, user) = (settings.hook.display().to_string(), settings.hook_user.clone());
    let hook = move |words: [String; 3]| {
        let argv = std::iter::once(program.clone()).chain(words).collect();
        let user = user.clone();
        let run = async move { deliver::errand::run(&user, argv, HOOK).await };
        Box::pin(run) as std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send>>
    };
    acme::renew(settings, &hook, anyway).await.map_err(|trouble| trouble.to_string())
}

/// The task that renews it; it ends with this.
#[derive(Default)]
pub struct Renewing(Option<JoinHandle<()>>);

impl Renewing {
    /// Begins, where a certificate is asked for; looks at once.
    pub fn begin(view: &View) -> Renewing {
        let Some(settings) = Settings::read(view, &mut Vec::new()) else { return Renewing(None) };
        Renewing(Some(tokio::spawn(async move {
            let mut pause = AGAIN;
            loop {
                let wait = match renew(&settings, false).await {
                    Ok(new) => {
                        if new {
                            let (names, from) = (settings.domains.join(", "), &settings.directory.host);
                            log::info!(target: "acme", "new certificate for {names} from {from}");
                        }
                        pause = AGAIN;
                        LOOK
                    }
                    Err(what) => {
                        let seconds = pause.as_secs();
                        log::warn!(target: "acme", "no new certificate: {what}; trying again in {seconds} s");
                        let wait = pause;
                        pause = (pause * 2).min(LONGEST);
                        wait
                    }
                };
                tokio::time::sleep(wait).await;
            }
        })))
    }
}

impl Drop for Renewing {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

struct Answers(Acmed);

impl Sessions for Answers {
    fn session(self: Arc<Self>, accepted: Accepted) -> Session {
        Box::pin(async move { self.0.session(accepted).await })
    }
}

/// The service `acmed`.
pub fn acmed(_: &Config, view: &View, _: &Service, _: &Lent) -> Arc<dyn Sessions> {
    let folder = PathBuf::from(view.get("acme_certificate_directory"));
    Arc::new(Answers(Acmed::new(Storage::new(&folder))))
}

/// What is wrong with the parameters.
pub fn check(view: &View, _: &Service, _: &Tables, mistakes: &mut Vec<Mistake>) {
    Settings::read(view, mistakes);
}
