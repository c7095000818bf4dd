//! Setting by setting: what says the same here.
//!
//! Where a parameter of ours has Dovecot's name, it means the same, and nothing stands here about it. To add another: a
//! line in [`RENAMED`] or [`NEEDLESS`].

use conf::{Kind, Registry, Status};
use store::{Location, SpecialUse};

use super::plan::Plan;
use super::syntax::{Block, Setting};
use super::variables::{bytes, fitting, older};
use super::{accounts, services};

/// Settings that have another name here: Dovecot's, ours.
const RENAMED: &[(&str, &str)] = &[
    ("ssl_server_cert_file", "ssl_cert"),
    ("ssl_server_key_file", "ssl_key"),
    ("ssl_server_min_protocol", "ssl_min_protocol"),
    ("quota_storage_size", "mailbox_quota"),
    ("quota_message_count", "mailbox_message_quota"),
    ("submission_relay_host", "relayhost"),
];

/// Settings, or beginnings of their names (with `*`), that nothing has to say the same of here.
const NEEDLESS: &[(&str, &str)] = &[
    ("dovecot_config_version", "the form of the file"),
    ("dovecot_storage_version", "the form of Dovecot's own files"),
    ("base_dir", "one program needs no sockets of its own parts"),
    ("state_dir", "data_directory has them"),
    ("instance_name", "syslog_name tells instances apart"),
    ("log_*", "maillog_file says where the log is"),
    ("info_log_path", "maillog_file says where the log is"),
    ("debug_log_path", "maillog_file says where the log is"),
    ("syslog_facility", "a parameter of main.cf that stands there already"),
    ("auth_verbose*", "logins and why they fail are always logged"),
    ("auth_debug*", "logins and why they fail are always logged"),
    ("mail_debug", "'facteur trace' tells what happened"),
    ("verbose_ssl", "smtpd_tls_loglevel says what is logged"),
    ("verbose_proctitle", "one process serves all sessions"),
    ("shutdown_clients", "sessions end when the program ends"),
    ("default_*", "processes, memory and users are parameters of the whole program"),
    ("service_*", "one process serves all sessions"),
    ("import_environment", "nothing is read from the environment"),
    ("login_trusted_networks", "smtpd_authorized_xclient_hosts says who is believed"),
    ("mail_fsync", "what was acknowledged is always on the disk"),
    ("mmap_disable", "files are not mapped"),
    ("dotlock_use_excl", "lock files are made as NFS allows"),
    ("mail_nfs_*", "file systems shared by several servers are not supported"),
    ("lock_method", "mbox_read_locks and mbox_write_locks say what matters"),
    ("mail_cache_*", "what is cached is decided at delivery"),
    ("mail_always_cache_fields", "what is cached is decided at delivery"),
    ("mail_never_cache_fields", "what is cached is decided at delivery"),
    ("mail_plugin_dir", "there are no plugins"),
    ("maildir_*", "Maildirs are always kept in the way that is safe"),
    ("mdbox_*", "the kind does not exist here"),
    ("ssl_dh*", "only named groups are used for the exchange of keys"),
    ("ssl_cipher_*", "the ciphers are those of TLS 1.2 and 1.3 that are good today"),
    ("ssl_curve_list", "the curves are those that are good today"),
    ("ssl_prefer_server_ciphers", "all ciphers are good"),
    ("ssl_server_prefer_ciphers", "all ciphers are good"),
    ("ssl_client_*", "this is about connections of Dovecot to others"),
    ("auth_cache_verify_password_with_worker", "the cache holds digests"),
    ("auth_proxy_self", "nothing is proxied"),
    ("stats_*", "'facteur trace' and the log tell"),
    ("protocols", "the services in master.cf say it"),
    ("listen", "the services in master.cf say it"),
    ("haproxy_*", "smtpd_upstream_proxy_protocol and its kin say it"),
    ("sendmail_path", "mail is sent by the program itself"),
    ("postmaster_address", "2bounce_notice_recipient and its kin say it"),
    ("hostname", "myhostname says it"),
    ("recipient_delimiter", "a parameter of main.cf that stands there already"),
    ("lda_*", "deliveries create the mailboxes that every account has, and no others"),
    ("quota_full_tempfail", "a full mailbox is a temporary failure until maximal_queue_lifetime"),
    ("mail_attribute*", "METADATA is always there"),
    ("imap_metadata", "METADATA is always there"),
    ("imap_hibernate_timeout", "a session that waits holds little"),
    ("mailbox_list_index*", "mailboxes are listed from a catalogue"),
    ("mail_max_keyword_length", "keywords are limited to a length that clients can do with"),
    ("mail_log_*", "what is delivered and removed is in the log"),
    ("mail_save_crlf", "a store keeps mail as it is best for it"),
];

/// Plugins that are part of the program.
const BUILT_IN: &[&str] = &[
    "quota",
    "imap_quota",
    "zlib",
    "imap_zlib",
    "mail_log",
    "notify",
    "stats",
    "imap_stats",
    "old_stats",
    "acl",
    "imap_acl",
];

/// Translates a whole configuration.
pub fn translate(root: &Block, registry: &Registry) -> Plan {
    let mut plan = Plan::default();
    location(root, &mut plan);
    for setting in &root.settings {
        one(setting, registry, &mut plan);
    }
    for block in &root.blocks {
        match block.kind.as_str() {
            "namespace" => namespace(block, &mut plan),
            "plugin" => block.settings.iter().for_each(|setting| plugin(setting, &mut plan)),
            "quota" => block.settings.iter().for_each(|setting| {
                let name = format!("quota_{}", setting.name.trim_start_matches("quota_"));
                one(&Setting { name, ..setting.clone() }, registry, &mut plan);
            }),
            // These are read together, below.
            "passdb" | "userdb" | "service" | "protocol" | "protocols" | "mysql" | "pgsql" | "sqlite" => {}
            // 2.4: `mail_plugins { quota = yes }`
            "mail_plugins" => {
                for setting in block.settings.iter().filter(|setting| setting.value == "yes") {
                    plugins(&Setting { value: setting.name.clone(), ..setting.clone() }, &mut plan);
                }
            }
            "dict" | "dict_server" if !block.settings.is_empty() => {
                plan.leave(&block.at, "dict", "there are no dictionaries");
            }
            "dict" | "dict_server" => {}
            kind => plan.leave(&block.at, &format!("{kind} {}", block.name), "nothing here says the same"),
        }
    }
    accounts::translate(root, &mut plan);
    services::translate(root, registry, &mut plan);
    plan
}

/// `mail_location`, which 2.4 writes in parts.
fn location(root: &Block, plan: &mut Plan) {
    let (text, at) = match root.get("mail_driver") {
        Some(driver) => {
            let mut text = format!("{driver}:{}", root.get("mail_path").unwrap_or("~/mail"));
            for (setting, option) in [
                ("mail_inbox_path", "INBOX"),
                ("mail_control_path", "CONTROL"),
                ("mail_index_path", "INDEX"),
                ("mailbox_list_layout", "LAYOUT"),
            ] {
                if let Some(value) = root.get(setting) {
                    text.push_str(&format!(":{option}={value}"));
                }
            }
            (text, place(root, "mail_driver"))
        }
        None => match root.get("mail_location").filter(|text| !text.is_empty()) {
            Some(text) => (text.to_owned(), place(root, "mail_location")),
            None => return,
        },
    };
    match older(&text).and_then(|text| Location::parse(&text).map(|_| text)) {
        Ok(text) => plan.set("mail_location", &text),
        Err(why) if ["sdbox:", "mdbox:", "dbox:"].iter().any(|kind| text.starts_with(kind)) => {
            plan.left.push(format!(
                "{at}: mail_location = {text}: {why}; Dovecot itself turns it into a Maildir, an account at a time: \
                 doveadm backup -u USER maildir:~/Maildir"
            ));
        }
        Err(why) => plan.left.push(format!("{at}: mail_location = {text}: {why}")),
    }
}

fn place(root: &Block, name: &str) -> String {
    let setting = root.settings.iter().rev().find(|setting| setting.name == name);
    setting.map(|setting| setting.at.to_string()).unwrap_or_default()
}

/// A setting of the whole configuration, or of a protocol where `registry` knows it.
fn one(setting: &Setting, registry: &Registry, plan: &mut Plan) {
    let name = setting.name.as_str();
    match name {
        "mail_location"
        | "mail_driver"
        | "mail_path"
        | "mail_inbox_path"
        | "mail_control_path"
        | "mail_index_path"
        | "mailbox_list_layout" => return,
        // 2.3 and 2.4 write hosts of databases in blocks, and where they are used.
        "sql_driver" => return,
        "auth_allow_cleartext" => {
            let refused = if setting.value == "yes" { "no" } else { "yes" };
            plan.set("disable_plaintext_auth", refused);
            return;
        }
        "mail_plugins" => return plugins(setting, plan),
        "quota_rule" => return plugin(setting, plan),
        _ => {}
    }
    if let Some((name, value)) = equivalent(setting, registry) {
        match value {
            Ok(value) => plan.set(name, &value),
            Err(why) => plan.leave(&setting.at, &said(setting), &why),
        }
    } else if let Some(why) = needless(name) {
        plan.needless(name, why);
    } else {
        plan.leave(&setting.at, &said(setting), "nothing here says the same");
    }
}

/// The parameter that says the same, and its value; `None` where there is none.
pub fn equivalent<'r>(
    setting: &Setting,
    registry: &'r Registry,
) -> Option<(&'r str, Result<String, String>)> {
    let ours =
        RENAMED.iter().find(|(theirs, _)| *theirs == setting.name).map_or(setting.name.as_str(), |it| it.1);
    let row = registry.get(ours).filter(|row| row.status == Status::Own)?;
    let value = older(&setting.value).map(|value| fitting(row.kind, &value));
    let value = value.map_err(|what| format!("{what} has no equal here"));
    Some((
        row.name,
        match (row.kind, value) {
            (Kind::YesNo, Ok(value)) if !matches!(value.as_str(), "yes" | "no") => {
                Err("yes or no is expected".to_owned())
            }
            (_, value) => value,
        },
    ))
}

/// Why nothing has to be said of a setting.
pub fn needless(name: &str) -> Option<&'static str> {
    let fits =
        |pattern: &str| pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start));
    NEEDLESS.iter().find(|(pattern, _)| fits(pattern)).map(|(_, why)| *why)
}

/// A setting as it stands, without its value where that may be secret.
pub fn said(setting: &Setting) -> String {
    let name = &setting.name;
    match ["password", "secret", "key", "nonce"].iter().any(|word| name.contains(word)) {
        true => name.clone(),
        false => format!("{name} = {}", setting.value),
    }
}

/// `mail_plugins`, of the whole configuration or of a protocol.
pub fn plugins(setting: &Setting, plan: &mut Plan) {
    for plugin in setting.value.split_whitespace().filter(|plugin| !plugin.starts_with('$')) {
        match plugin {
            name if BUILT_IN.contains(&name) => plan.needless(&format!("plugin {name}"), "it is built in"),
            name => plan.leave(
                &setting.at,
                &format!("plugin {name}"),
                "there are no plugins, and this is not built in",
            ),
        }
    }
}

/// A setting of `plugin { }`.
fn plugin(setting: &Setting, plan: &mut Plan) {
    let (name, value) = (setting.name.as_str(), setting.value.as_str());
    match name {
        "quota" => plan.needless("plugin/quota", "what an account holds is always counted"),
        "quota_rule" => match rule(value) {
            Ok(limits) => limits.iter().for_each(|(name, value)| plan.set(name, &value.to_string())),
            Err(why) => plan.leave(&setting.at, &said(setting), &why),
        },
        "quota_warning" | "quota_warning2" | "quota_warning3" => {
            plan.notes.push(format!(
                "{}: {name}: mailbox_quota_warnings says at how many per cent a line is logged; no program is called",
                setting.at
            ));
        }
        name if name.starts_with("quota_") => {
            plan.leave(&setting.at, &said(setting), "there is one quota for an account");
        }
        name if name.starts_with("mail_log_") => {
            plan.needless(name, "what is delivered and removed is in the log")
        }
        name if name.starts_with("zlib_") => {
            plan.needless(name, "compressed Maildirs are read; new mail is not compressed")
        }
        name if name.starts_with("sieve") => plan.leave(&setting.at, &said(setting), "there is no Sieve yet"),
        _ => plan.leave(&setting.at, &said(setting), "there are no plugins, and nothing here says the same"),
    }
}

/// `*:storage=1G:messages=1000`
fn rule(value: &str) -> Result<Vec<(&'static str, u64)>, String> {
    let mut parts = value.split(':');
    if parts.next() != Some("*") {
        return Err("there are no quotas of single mailboxes".to_owned());
    }
    let mut limits = Vec::new();
    for part in parts {
        let wrong = || format!("\"{part}\" is neither storage=SIZE nor messages=NUMBER");
        let (name, number) = part.split_once('=').ok_or_else(wrong)?;
        limits.push(match name {
            // As Dovecot counts: kilobytes, unless a unit stands there.
            "storage" => (
                "mailbox_quota",
                match number.parse::<u64>() {
                    Ok(kilobytes) => kilobytes << 10,
                    Err(_) => bytes(number).ok_or_else(wrong)?,
                },
            ),
            "bytes" => ("mailbox_quota", bytes(number).ok_or_else(wrong)?),
            "messages" => ("mailbox_message_quota", number.parse().map_err(|_| wrong())?),
            _ => return Err(wrong()),
        });
    }
    Ok(limits)
}

/// The private namespace, with its separator and the mailboxes that every account has.
fn namespace(block: &Block, plan: &mut Plan) {
    if matches!(block.get("type"), Some("shared" | "public")) {
        plan.leave(
            &block.at,
            &format!("namespace {}", block.name),
            "only the private namespace is translated",
        );
        return;
    }
    for setting in &block.settings {
        match (setting.name.as_str(), setting.value.as_str()) {
            ("separator", separator @ ("/" | ".")) => plan.set("mailbox_separator", separator),
            ("prefix", "") | ("inbox" | "type" | "list" | "subscriptions" | "hidden" | "disabled", _) => {}
            ("location" | "mail_path" | "mail_driver", "") => {}
            _ => plan.leave(&setting.at, &said(setting), "there is one namespace, without a prefix"),
        }
    }
    let mut uses = Vec::new();
    let mut created = false;
    for mailbox in block.all("mailbox") {
        created |= matches!(mailbox.get("auto"), Some("create" | "subscribe"));
        let attribute = mailbox.get("special_use").unwrap_or_default().trim_start_matches('\\');
        if let Some(known) = SpecialUse::from_attribute(&format!("\\{attribute}")) {
            let word = known.attribute().trim_start_matches('\\');
            // Of two mailboxes for one use the first is the one that clients take.
            if !uses.iter().any(|(known, _)| *known == word) {
                uses.push((word, mailbox.name.clone()));
            }
        } else {
            plan.leave(
                &mailbox.at,
                &format!("mailbox {}", mailbox.name),
                "only mailboxes with a special use are made",
            );
        }
        for setting in
            mailbox.settings.iter().filter(|setting| !matches!(&*setting.name, "auto" | "special_use"))
        {
            plan.leave(&setting.at, &said(setting), "nothing here says the same of a mailbox");
        }
    }
    if !uses.is_empty() {
        let list: Vec<String> = uses
            .iter()
            .map(|(word, name)| match name.contains([' ', ',']) {
                true => format!("{{{word}={name}}}"),
                false => format!("{word}={name}"),
            })
            .collect();
        plan.set("mailbox_special_use", &list.join(", "));
        plan.set("mailbox_special_use_create", if created { "yes" } else { "no" });
    }
}
