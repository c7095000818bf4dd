//! The instances, as their configurations describe them.

use std::path::{Path, PathBuf};

use conf::View;

use crate::config::Config;

/// One instance.
pub struct Instance {
    /// Its configuration.
    pub directory: PathBuf,
    /// `multi_instance_name`; may be empty.
    pub name: String,
    /// `multi_instance_group`; may be empty.
    pub group: String,
    /// `multi_instance_enable`.
    pub enabled: bool,
    view: View,
}

impl Instance {
    fn read(directory: &Path) -> Instance {
        let config = Config::main_only(directory, "postmulti");
        let view = config.view;
        Instance {
            directory: directory.to_owned(),
            name: view.get("multi_instance_name"),
            group: view.get("multi_instance_group"),
            enabled: view.get("multi_instance_enable").eq_ignore_ascii_case("yes"),
            view,
        }
    }

    /// The value of a parameter.
    pub fn setting(&self, name: &str) -> String {
        self.view.get(name)
    }

    /// Is that its name, or its directory? The primary instance may be called `-`.
    pub fn is_called(&self, name: &str) -> bool {
        (!self.name.is_empty() && self.name == name)
            || (self.name.is_empty() && name == "-")
            || self.directory == Path::new(name)
    }

    /// The line of `-l`.
    pub fn line(&self) -> String {
        let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let enabled = if self.enabled { "y" } else { "n" };
        let (name, group) = (or_dash(&self.name), or_dash(&self.group));
        format!("{name:<15} {group:<15} {enabled:<9} {}", self.directory.display())
    }
}

/// The primary instance, then the others in their order.
pub fn all(primary: &Path) -> Result<Vec<Instance>, String> {
    if !primary.join("main.cf").exists() && !primary.join("conf.d").exists() {
        return Err(format!("open {}/main.cf: No such file or directory", primary.display()));
    }
    let mut all = vec![Instance::read(primary)];
    // Without other instances the one there is needs no permission.
    let listed = listed(&all[0]);
    all[0].enabled |= listed.is_empty();
    all.extend(listed.iter().map(|directory| Instance::read(directory)));
    Ok(all)
}

/// `multi_instance_directories` of the primary instance.
pub fn listed(primary: &Instance) -> Vec<PathBuf> {
    let text = primary.setting("multi_instance_directories");
    text.split([',', ' ', '\t', '\n']).filter(|word| !word.is_empty()).map(PathBuf::from).collect()
}
