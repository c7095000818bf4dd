//! `postmulti -e`: changes main.cf of the primary instance and of others.

use std::fs;
use std::path::{Path, PathBuf};

use super::instances::{self, Instance};
use super::options::{Action, Options};
use super::ourselves;

/// Does what `-e` says.
pub fn edit(primary: &Path, all: &[Instance], action: Action, options: &Options) -> Result<(), String> {
    match action {
        Action::Init => set(
            primary,
            &["multi_instance_wrapper=${command_directory}/postmulti -p --", "multi_instance_enable=yes"],
        ),
        Action::Create => create(primary, all, options),
        Action::Import => {
            let directory = options.words.iter().find_map(|word| word.strip_prefix("config_directory="));
            let directory = PathBuf::from(directory.ok_or("-e import needs config_directory=/path")?);
            if !directory.is_absolute() || !directory.join("main.cf").exists() {
                return Err(format!("{}: there is no main.cf", directory.display()));
            }
            if all.iter().any(|instance| instance.directory == directory) {
                return Err(format!("{} is an instance already", directory.display()));
            }
            named(all, options)?;
            set(&directory, &names(options))?;
            list(primary, &all[0], |listed| listed.push(directory.clone()))
        }
        Action::Deport => {
            let instance = other(all, options)?;
            list(primary, &all[0], |listed| listed.retain(|one| *one != instance.directory))
        }
        Action::Enable | Action::Disable => {
            let value = if action == Action::Enable { "yes" } else { "no" };
            set(&any(all, options)?.directory, &[format!("multi_instance_enable={value}")])
        }
        Action::Assign => {
            named(all, options)?;
            set(&any(all, options)?.directory, &names(options))
        }
    }
}

/// The instance that `-i` names.
fn any<'a>(all: &'a [Instance], options: &Options) -> Result<&'a Instance, String> {
    let name = options.name.as_ref().ok_or("which instance? Name it with -i")?;
    all.iter()
        .find(|instance| instance.is_called(name))
        .ok_or_else(|| format!("No matching instances: {name}"))
}

/// The same, but not the primary one.
fn other<'a>(all: &'a [Instance], options: &Options) -> Result<&'a Instance, String> {
    let found = any(all, options)?;
    if found.directory == all[0].directory {
        return Err("the primary instance cannot be deported".to_owned());
    }
    Ok(found)
}

/// Is the new name free?
fn named(all: &[Instance], options: &Options) -> Result<(), String> {
    match &options.new_name {
        Some(name) if name != "-" && all.iter().any(|instance| instance.name == *name) => {
            Err(format!("the name {name} is taken"))
        }
        _ => Ok(()),
    }
}

/// Name and group as settings; `-` is none.
fn names(options: &Options) -> Vec<String> {
    let setting = |parameter: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!("{parameter}={}", if value == "-" { "" } else { value }))
    };
    let pairs = [
        setting("multi_instance_name", &options.new_name),
        setting("multi_instance_group", &options.new_group),
    ];
    pairs.into_iter().flatten().collect()
}

/// A new instance beside the primary one: not enabled, and without services on the network.
fn create(primary: &Path, all: &[Instance], options: &Options) -> Result<(), String> {
    named(all, options)?;
    let name = options.new_name.as_deref().ok_or("-e create needs a name: -I postfix-...")?;
    if !name.starts_with("postfix-") || name.contains('/') {
        return Err(format!("{name}: names of instances begin with postfix-"));
    }
    let beside = |path: &Path| path.with_file_name(name);
    let given = |parameter: &str, path: PathBuf| {
        let lead = format!("{parameter}=");
        let word = options.words.iter().find_map(|word| word.strip_prefix(&lead)).map(PathBuf::from);
        word.unwrap_or(path)
    };
    let directory = given("config_directory", beside(primary));
    let place = |parameter: &str| given(parameter, beside(Path::new(&all[0].setting(parameter))));
    let (queue, data) = (place("queue_directory"), place("data_directory"));
    if directory.join("main.cf").exists() {
        return Err(format!("{} has a main.cf; use -e import", directory.display()));
    }
    let failed = |error: std::io::Error| format!("cannot make {}: {error}", directory.display());
    for new in [&directory, &queue, &data] {
        fs::create_dir_all(new).map_err(failed)?;
    }
    fs::copy(primary.join("master.cf"), directory.join("master.cf")).map_err(failed)?;
    let mut text = format!(
        "# An instance beside {}.\ncompatibility_level = {}\nqueue_directory = {}\ndata_directory = {}\nmaster_service_disable = inet\n\
         authorized_submit_users =\nmulti_instance_enable = no\n",
        primary.display(),
        all[0].setting("compatibility_level"),
        queue.display(),
        data.display()
    );
    for setting in names(options) {
        text.push_str(&format!("{}\n", setting.replacen('=', " = ", 1)));
    }
    let mine = ["config_directory=", "queue_directory=", "data_directory="];
    let more = options.words.iter().filter(|word| !mine.iter().any(|lead| word.starts_with(lead)));
    for word in more {
        let (parameter, value) = word.split_once('=').ok_or_else(|| format!("{word}: not name=value"))?;
        text.push_str(&format!("{} = {}\n", parameter.trim(), value.trim()));
    }
    fs::write(directory.join("main.cf"), text).map_err(failed)?;
    list(primary, &all[0], |listed| listed.push(directory.clone()))
}

/// Changes `multi_instance_directories` of the primary instance.
fn list(primary: &Path, instance: &Instance, change: impl FnOnce(&mut Vec<PathBuf>)) -> Result<(), String> {
    let mut listed = instances::listed(instance);
    change(&mut listed);
    let words: Vec<String> = listed.iter().map(|directory| directory.display().to_string()).collect();
    set(primary, &[format!("multi_instance_directories={}", words.join(" "))])
}

/// `postconf -e` in one configuration.
fn set(directory: &Path, settings: &[impl AsRef<std::ffi::OsStr>]) -> Result<(), String> {
    if settings.is_empty() {
        return Ok(());
    }
    let done = ourselves("postconf").arg("-c").arg(directory).arg("-e").args(settings).status();
    match done {
        Ok(done) if done.success() => Ok(()),
        Ok(_) => Err(format!("{}/main.cf could not be changed", directory.display())),
        Err(error) => Err(format!("cannot start postconf: {error}")),
    }
}
