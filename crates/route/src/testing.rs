//! What the tests of this room share: a configuration from a few lines.

use std::path::Path;

use conf::{Block, Facts, MainCf, Registry, View};
use tables::{Settings, Tables};

use crate::{Router, params};

/// A view of these settings over the defaults of this room.
pub fn view(settings: &str) -> View {
    // A test may set a parameter twice: the last one counts.
    let (main, _) = MainCf::parse(settings, Path::new("main.cf"));
    let registry = Registry::new(&[
        conf::params::Site::DECLARATIONS,
        params::Rewrite::DECLARATIONS,
        params::Canonical::DECLARATIONS,
        params::VirtualAlias::DECLARATIONS,
        params::Classes::DECLARATIONS,
        params::Transport::DECLARATIONS,
        params::ProbeTransport::DECLARATIONS,
    ]);
    View::new(registry, main, Facts { host_name: "mx.site.test".to_owned(), ..Facts::default() })
}

/// A router of these settings, which must be without mistakes.
pub fn router(settings: &str) -> Router {
    let mut mistakes = Vec::new();
    let own = vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    let router = Router::new(&view(settings), &Tables::new(Settings::default()), own, &mut mistakes);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    router
}

/// Runs a future that waits for nothing but memory.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(answer) = future.as_mut().poll(&mut context) {
            return answer;
        }
        std::thread::yield_now();
    }
}
