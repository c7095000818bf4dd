//! What the tests of this room share: a configuration from a few lines.

use std::path::Path;

use conf::{Block, Facts, MainCf, Registry, View};

use crate::params;

/// A view of these settings over the defaults of this room.
pub fn view(settings: &str) -> View {
    let (main, mistakes) = MainCf::parse(settings, Path::new("main.cf"));
    assert!(mistakes.is_empty(), "{mistakes:?}");
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
