//! `service { }` and `protocol { }`: lines of master.cf.

use conf::Registry;

use super::plan::Plan;
use super::syntax::Block;
use super::translate::{equivalent, needless, plugins, said};

/// What listens: the listener's name, its port, whether it begins with TLS.
type Listener = (&'static str, u16, bool);

/// A protocol: its name, the service that listens for it, our command, its listeners.
type Protocol = (&'static str, &'static str, &'static str, &'static [Listener]);

const PROTOCOLS: &[Protocol] = &[
    ("imap", "imap-login", "imapd", &[("imap", 143, false), ("imaps", 993, true)]),
    ("pop3", "pop3-login", "pop3d", &[("pop3", 110, false), ("pop3s", 995, true)]),
    ("lmtp", "lmtp", "lmtpd", &[]),
];

/// Translates all services and what is said for single protocols.
pub fn translate(root: &Block, registry: &Registry, plan: &mut Plan) {
    let wanted: Vec<String> = match root.all("protocols").next() {
        // 2.4: `protocols { imap = yes }`
        Some(block) => block
            .settings
            .iter()
            .filter(|setting| setting.value == "yes")
            .map(|setting| setting.name.clone())
            .collect(),
        None => match root.get("protocols") {
            Some(list) => list.split([' ', ',']).map(str::to_owned).collect(),
            // As compiled in, less what a site has to install.
            None => vec!["imap".to_owned(), "pop3".to_owned(), "lmtp".to_owned()],
        },
    };
    for name in wanted.iter().filter(|name| !name.is_empty() && *name != "none") {
        match PROTOCOLS.iter().find(|protocol| protocol.0 == name) {
            Some(protocol) => serve(root, protocol, registry, plan),
            None => plan.left.push(format!("protocols: {name}: there is no server for it here")),
        }
    }
    for block in root.all("protocol").filter(|block| !block.settings.is_empty()) {
        if !wanted.contains(&block.name) && !matches!(&*block.name, "lda" | "doveadm") {
            plan.leave(&block.at, &format!("protocol {}", block.name), "there is no server for it here");
        }
    }
    for block in root.all("service") {
        listeners_of(block, plan);
    }
}

/// The lines of a protocol's listeners.
fn serve(root: &Block, protocol: &Protocol, registry: &Registry, plan: &mut Plan) {
    let (name, service, command, listeners) = protocol;
    let mut overrides = String::new();
    for setting in root.all("protocol").filter(|block| block.name == *name).flat_map(|block| &block.settings)
    {
        match equivalent(setting, registry) {
            _ if setting.name == "mail_plugins" => plugins(setting, plan),
            Some((ours, Ok(value))) => overrides.push_str(&format!("\n    -o {}", option(ours, &value))),
            Some((_, Err(why))) => plan.leave(&setting.at, &said(setting), &why),
            None => match needless(&setting.name) {
                Some(why) => plan.needless(&setting.name, why),
                None => plan.leave(&setting.at, &said(setting), "nothing here says the same"),
            },
        }
    }
    let block = root.all("service").find(|block| block.name == *service);
    let inets: Vec<&Block> = block.map(|block| block.all("inet_listener").collect()).unwrap_or_default();
    let tls = root.get("ssl") != Some("no");
    for (listener, port, wrapped) in listeners.iter().filter(|(_, _, wrapped)| tls || !wrapped) {
        let own = inets.iter().find(|block| block.name == *listener);
        let asked =
            own.and_then(|block| block.get("port")).and_then(|text| text.parse().ok()).unwrap_or(*port);
        if asked == 0 {
            continue;
        }
        let place = if asked == *port { (*listener).to_owned() } else { asked.to_string() };
        let wrap = if *wrapped { "\n    -o ssl_wrappermode=yes" } else { "" };
        for address in addresses(own.and_then(|block| block.get("address")).or(root.get("listen"))) {
            plan.master.push(format!(
                "{:<9} inet  n  -  n  -  -  {command}{wrap}{overrides}",
                format!("{address}{place}")
            ));
        }
    }
    // Listeners with names of the site's own.
    for inet in inets.iter().filter(|inet| !listeners.iter().any(|(known, _, _)| *known == inet.name)) {
        let Some(port) = inet.get("port").filter(|port| *port != "0") else { continue };
        let wrap = if inet.get("ssl") == Some("yes") { "\n    -o ssl_wrappermode=yes" } else { "" };
        for address in addresses(inet.get("address").or(root.get("listen"))) {
            plan.master.push(format!(
                "{:<9} inet  n  -  n  -  -  {command}{wrap}{overrides}",
                format!("{address}{port}")
            ));
        }
    }
    for unix in block.into_iter().flat_map(|block| block.all("unix_listener")) {
        match spooled(&unix.name) {
            Some((class, socket)) => {
                plan.master.push(format!("{socket:<9} unix  {class}  -  n  -  -  {command}{overrides}"))
            }
            None => plan.needless(
                &format!("unix_listener {}", unix.name),
                "'virtual_transport = store' delivers without it",
            ),
        }
    }
    if *name == "lmtp" {
        plan.notes.push(
            "virtual_transport = store, or mailbox_transport = store, delivers without LMTP in between"
                .to_owned(),
        );
    }
}

/// The sockets that Postfix asks, of the services that are no protocol.
fn listeners_of(block: &Block, plan: &mut Plan) {
    if PROTOCOLS.iter().any(|protocol| protocol.1 == block.name) {
        return;
    }
    for unix in block.all("unix_listener") {
        match (block.name.as_str(), spooled(&unix.name)) {
            ("auth", Some((class, socket))) => {
                plan.master.push(format!("{socket:<9} unix  {class}  -  n  -  -  auth"));
                plan.notes.push(format!(
                    "the service {socket} answers another program's smtpd_sasl_path; our own smtpd asks the same accounts \
                     with smtpd_sasl_type = facteur"
                ));
            }
            _ => plan
                .needless(&format!("unix_listener {}", unix.name), "no other part of the program needs it"),
        }
    }
    for inet in block.all("inet_listener").filter(|inet| inet.get("port").is_some_and(|port| port != "0")) {
        match (block.name.as_str(), inet.get("port")) {
            ("auth", Some(port)) => {
                for address in addresses(inet.get("address")) {
                    plan.master.push(format!("{:<9} inet  n  -  n  -  -  auth", format!("{address}{port}")));
                }
            }
            _ => plan.leave(
                &inet.at,
                &format!("service {} port {}", block.name, inet.get("port").unwrap_or("?")),
                "there is no such server here",
            ),
        }
    }
}

/// A socket below Postfix's queue directory: whether it is private, and its name.
fn spooled(path: &str) -> Option<(char, &str)> {
    let (_, place) = path.split_once("/spool/postfix/")?;
    match place.split_once('/')? {
        ("private", name) => Some(('-', name)),
        ("public", name) => Some(('n', name)),
        _ => None,
    }
}

/// `listen`, as it stands before a port in master.cf: empty for all addresses.
fn addresses(listen: Option<&str>) -> Vec<String> {
    let mut addresses: Vec<String> = Vec::new();
    for address in listen.unwrap_or("*").split([' ', ',']).filter(|address| !address.is_empty()) {
        let written = match address {
            "*" | "::" | "[::]" | "0.0.0.0" => String::new(),
            address if address.contains(':') => format!("[{}]:", address.trim_matches(['[', ']'])),
            address => format!("{address}:"),
        };
        if !addresses.contains(&written) {
            addresses.push(written);
        }
    }
    addresses
}

/// What stands behind `-o`; braces hold a value with blanks together.
fn option(name: &str, value: &str) -> String {
    let value = value.replace('$', "$$");
    if value.contains(' ') { format!("{{ {name} = {value} }}") } else { format!("{name}={value}") }
}
