//! `unix:passwd.byname` and `unix:group.byname`, the system's accounts and groups.

use std::sync::Arc;

use mail::Trouble;
use nix::unistd::{Group, User};

use super::{Opening, TableType};
use crate::blocking::{elsewhere, ready_or_pending};
use crate::{Hit, Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "unix",
    doc: "System accounts and groups: unix:passwd.byname and unix:group.byname; the value is the line of the file.",
    open,
    make: None,
};

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    match opening.spec.name.as_str() {
        "passwd.byname" => Ok(Arc::new(Unix { line: account })),
        "group.byname" => Ok(Arc::new(Unix { line: group })),
        _ => Err(format!("unknown table: {}", opening.spec)),
    }
}

struct Unix {
    line: fn(&str) -> nix::Result<Option<String>>,
}

impl Table for Unix {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        let Ok(name) = std::str::from_utf8(key) else { return Lookup::Ready(Ok(None)) };
        let (name, line) = (name.to_owned(), self.line);
        // Name services may ask a server.
        ready_or_pending(elsewhere(move || match line(&name) {
            Ok(line) => Ok(line.map(|line| Hit::new(line.into_bytes()))),
            Err(error) => Err(Trouble::from_error(format!("look up account {name}"), error)),
        }))
    }

    fn shape(&self) -> Shape {
        Shape::FIXED
    }

    fn folds(&self) -> bool {
        true
    }
}

fn account(name: &str) -> nix::Result<Option<String>> {
    Ok(User::from_name(name)?.map(|user| {
        format!(
            "{}:{}:{}:{}:{}:{}:{}",
            user.name,
            user.passwd.to_string_lossy(),
            user.uid,
            user.gid,
            user.gecos.to_string_lossy(),
            user.dir.display(),
            user.shell.display()
        )
    }))
}

fn group(name: &str) -> nix::Result<Option<String>> {
    Ok(Group::from_name(name)?.map(|group| {
        format!("{}:{}:{}:{}", group.name, group.passwd.to_string_lossy(), group.gid, group.mem.join(","))
    }))
}
