//! The services that listen: sockets of master.cf, each with the sessions its command gives.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use conf::{Mistake, Service, ServiceKind, Severity, View};
use net::{Accepted, Endpoint, Listener};
use tokio::task::JoinHandle;

use crate::interfaces;

/// A session under way.
pub type Session = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One service's part of a configuration: makes sessions.
pub trait Sessions: Send + Sync {
    /// Talks to one client until it is gone.
    fn session(self: Arc<Self>, accepted: Accepted) -> Session;
}

/// The sessions of one service; replaced as a whole on reload.
type Current = Arc<RwLock<Arc<dyn Sessions>>>;

/// A service as one configuration wants it.
pub struct Wanted {
    /// Its line in master.cf.
    pub service: Service,
    /// Where it listens.
    pub endpoints: Vec<Endpoint>,
    /// Sessions at once; 0 is no limit.
    pub limit: usize,
    /// What it does.
    pub sessions: Arc<dyn Sessions>,
}

/// Where a service listens, or what is wrong with its first column.
pub fn endpoints(view: &View, service: &Service, mistakes: &mut Vec<Mistake>) -> Vec<Endpoint> {
    match service.kind {
        ServiceKind::Inet => {
            let interfaces = interfaces::listening(view, mistakes);
            match net::listener::inet_endpoints(&service.name, &interfaces, interfaces::protocols(view)) {
                Ok(endpoints) => endpoints,
                Err(what) => {
                    let place = Some((service.file.as_path(), service.line));
                    mistakes.push(Mistake::new(Severity::Fatal, place, format!("{}: {what}", service.name)));
                    Vec::new()
                }
            }
        }
        _ => {
            // Services of type unix are private unless the third column says `n`.
            let folder = if service.private == Some(false) { "public" } else { "private" };
            let queue = PathBuf::from(view.get("queue_directory"));
            vec![Endpoint::Unix(queue.join(folder).join(&service.name))]
        }
    }
}

/// Sessions at once: the seventh column, or `default_process_limit` where the site sets it.
///
/// A session is no process here and costs a few kilobytes, so that the limit of a site that says nothing is what
/// descriptors allow: half of them, for a session may need a second one.
pub fn limit(view: &View, column: Option<u32>) -> usize {
    match column {
        Some(limit) => limit as usize,
        None if view.is_set("default_process_limit") => process_limit(view, None),
        None => {
            use nix::sys::resource::{Resource, getrlimit};
            let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
            usize::try_from(soft / 2).unwrap_or(usize::MAX).max(100)
        }
    }
}

/// Processes at once: the seventh column, or `default_process_limit`.
pub fn process_limit(view: &View, column: Option<u32>) -> usize {
    let default = || view.get("default_process_limit").trim().parse().unwrap_or(100);
    column.map_or_else(default, |limit| limit as usize)
}

struct Open {
    endpoints: Vec<Endpoint>,
    limit: usize,
    current: Current,
    accepting: JoinHandle<()>,
}

/// All open services, by the first two columns of master.cf.
#[derive(Default)]
pub struct Listening {
    open: HashMap<String, Open>,
}

impl Listening {
    /// Opens what is wanted, closes what no longer is, gives running services their new sessions.
    ///
    /// Sessions that are under way go on as they began. What cannot be bound is returned; the rest serves.
    pub fn arrange(&mut self, wanted: Vec<Wanted>) -> Vec<String> {
        let mut failed = Vec::new();
        let mut kept = HashMap::new();
        for want in wanted {
            let key = format!("{} {}", want.service.name, want.service.kind.as_str());
            if let Some(open) = self.open.remove(&key)
                && open.endpoints == want.endpoints
                && open.limit == want.limit
            {
                *open.current.write().unwrap_or_else(PoisonError::into_inner) = want.sessions;
                kept.insert(key, open);
                continue;
            }
            match open(want) {
                Ok(open) => drop(kept.insert(key, open)),
                Err(what) => failed.push(what),
            }
        }
        for open in std::mem::replace(&mut self.open, kept).into_values() {
            open.accepting.abort();
        }
        failed
    }

    /// Takes no more connections.
    pub fn close(&mut self) {
        for open in std::mem::take(&mut self.open).into_values() {
            open.accepting.abort();
        }
    }
}

fn open(want: Wanted) -> Result<Open, String> {
    let Wanted { service, endpoints, limit, sessions } = want;
    for endpoint in &endpoints {
        if let Endpoint::Unix(path) = endpoint {
            // A socket that a former run left is in the way; nobody else may have this queue open.
            let _ = std::fs::remove_file(path);
        }
    }
    let listener = Listener::bind(&endpoints, limit).map_err(|error| explain(&service, &error))?;
    for endpoint in &endpoints {
        if let Endpoint::Unix(path) = endpoint
            && service.private == Some(false)
        {
            // `n` in the third column: for anybody on this machine. What may be done there the service decides.
            let open = std::fs::Permissions::from_mode(0o666);
            match std::fs::set_permissions(path, open) {
                // The parent has made it, and made it so.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                result => result.map_err(|error| explain(&service, &error))?,
            }
        }
    }
    let current: Current = Arc::new(RwLock::new(sessions));
    let serving = current.clone();
    let accepting = tokio::spawn(async move {
        loop {
            let accepted = listener.accept().await;
            let sessions = serving.read().unwrap_or_else(PoisonError::into_inner).clone();
            tokio::spawn(sessions.session(accepted));
        }
    });
    Ok(Open { endpoints, limit, current, accepting })
}

fn explain(service: &Service, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "; another program listens there: stop it, or change the first column",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need root",
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address: see inet_interfaces",
        _ => "",
    };
    format!(
        "{}, line {}: cannot listen on {}: {error}{remedy}",
        service.file.display(),
        service.line,
        service.name
    )
}
