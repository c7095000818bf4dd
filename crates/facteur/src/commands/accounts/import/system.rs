//! The accounts of a system: `passwd` and `shadow` in a directory, `/etc` or a copy of it.

use std::collections::HashMap;
use std::path::Path;

use people::directory::Change;

use super::Found;

/// Accounts of people; others are daemons'.
const PEOPLE: std::ops::RangeInclusive<u32> = 1000..=59_999;

/// Reads both files; with a domain, names become addresses in it.
pub(super) fn read(folder: &str, domain: Option<&str>) -> Result<Found, String> {
    let text = |name: &str| {
        let path = Path::new(folder).join(name);
        std::fs::read_to_string(&path).map_err(|error| format!("open {}: {error}", path.display()))
    };
    let mut found = Found::default();
    found.domains.extend(domain.map(str::to_owned));
    let shadow = match text("shadow") {
        Ok(shadow) => shadow,
        Err(why) => {
            found.remarks.push(format!("{why}: nobody gets a password from there"));
            String::new()
        }
    };
    let hashes: HashMap<&str, &str> = shadow
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            Some((fields.next()?, fields.next()?))
        })
        .collect();
    for line in text("passwd")?.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, password, uid, gid, _, home, ..] = fields.as_slice() else { continue };
        let (Ok(uid), Ok(gid)) = (uid.parse::<u32>(), gid.parse::<u32>()) else { continue };
        if !PEOPLE.contains(&uid) {
            continue;
        }
        let hash = if *password == "x" { hashes.get(name).copied().unwrap_or_default() } else { password };
        // `!` before a hash closes the account to its password.
        let (disabled, hash) = hash.strip_prefix('!').map_or((false, hash), |hash| (true, hash));
        let full = domain.map_or_else(|| (*name).to_owned(), |domain| format!("{name}@{domain}"));
        let change = Change {
            disabled: Some(disabled && !hash.is_empty()),
            uid: Some(uid),
            gid: Some(gid),
            home: Some((*home).to_owned()),
            ..Change::default()
        };
        found.account(&full, hash.trim_start_matches('!'), change);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_not_daemons() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        put(
            "passwd",
            "root:x:0:0::/root:/bin/sh\njoe:x:1000:100:Joe,,:/home/joe:/bin/sh\nann:x:1001:100::/home/ann:/bin/sh\n\
             bad line\nnobody:x:65534:65534::/:/bin/false\nold:$1$a$b:1002:100::/home/old:/bin/sh\n",
        );
        let path = folder.path().to_str().unwrap();
        assert!(read(path, None).unwrap().remarks[0].contains("nobody gets a password"));
        put("shadow", "root:$6$r$r:1::::::\njoe:$6$j$j:1::::::\nann:!$6$a$a:1::::::\n");
        let found = read(path, Some("x.test")).unwrap();
        let got: Vec<_> = found
            .accounts
            .iter()
            .map(|(name, change)| {
                (name.as_str(), change.password.as_deref().unwrap(), change.disabled.unwrap())
            })
            .collect();
        assert_eq!(
            got,
            [
                ("joe@x.test", "{CRYPT}$6$j$j", false),
                ("ann@x.test", "{CRYPT}$6$a$a", true),
                ("old@x.test", "{CRYPT}$1$a$b", false)
            ]
        );
        assert_eq!(found.accounts[0].1.home.as_deref(), Some("/home/joe"));
        assert_eq!((found.domains.as_slice(), found.remarks.len()), (&["x.test".to_owned()][..], 0));
    }
}
